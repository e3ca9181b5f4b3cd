// Package normsync checks the actions of agents in a simulated world against a
// constitution: a set of rules that is kept outside the agents' code and can
// change while the world runs.
//
// A [Norm] says when it applies and which verbs it then forbids or permits. An
// [Action] is something that an agent does. [Constitution.Check] returns a
// [Violation] for each norm that an action breaks. A [Constitution] is an
// immutable, compiled set of norms. A [Monitor] holds the constitution in force
// and replaces it when norms change. A [Revision] records one change to one
// norm. A [Store] keeps revisions and violations.
//
// A check never blocks, never fails and never reads a clock. The package only
// reports violations; enforcing them is up to the caller.
//
// # Matching
//
// Verb, Location, Target, Faction and Facts of an action are split at white
// space into tokens. A norm matches whole tokens: zone does not match
// safe_zone. Letter case is ignored, as by [strings.EqualFold], and characters
// that cannot be seen, such as a zero width space, do not count. A token in a
// norm has one of these forms:
//
//	word           matches a token that equals word
//	word*          matches a token that starts with word; * matches any token
//	a|b*           matches if one of its alternatives does
//	field:word     matches in that field only; also field:word*, field:* and field:a|b
//
// The fields are action or verb, location, target, faction, facts and agent.
// Only agent: tokens read the Agent of an action. They ignore the case of ASCII
// letters only, and every character counts. A token with any other text before
// a colon is an ordinary word.
//
// A norm applies if the action has every token of Condition and no token of
// Unless, and if its Time is not before From and is before Until. An action
// without a Time is inside the window of a prohibition and outside the window
// of a permit. A norm that applies forbids the action if a token of Prohibited
// matches its verb, and permits it if a token of Permitted does. Prohibited and
// Permitted take only the forms word and word*.
//
// A permit overrides prohibitions of strictly lower Priority, but only for the
// words of the verb that it names. A norm is violated if it forbids a word of the
// verb for which no permit overrides it. If its token is *, it forbids the verb as a
// whole, and a permit for any word of the verb overrides it. Violations are
// sorted by Priority, highest first, and then by Name. A Shadow norm is reported
// but denies nothing, and a Shadow permit overrides nothing. Use
// [Constitution.Allows] or [Denied] for a verdict: counting violations would
// let Shadow norms deny.
//
// Scope, Description, Severity, Advice and Metadata are never matched. Verdicts
// are exact: the index finds candidates by hash, and a check compares their text
// before it reports them. Each process hashes with a random key of its own, so
// that nobody can prepare words that collide.
//
// [Norm.Validate] refuses what cannot be meant, such as an expression. [Lint]
// warns of what is legal but probably a mistake. [Cover] names the words of
// norms that no action of a log has.
//
// # Facts that remember
//
// A norm judges each action by itself. For rules such as "log in first", "once per
// order" and "the third offence", declare a [Fact]: which actions or violations
// make a word hold, how many it takes, for how long, and for whom. A [Memory] is
// told what happened and what was violated, and returns the words that hold for
// the next action, to be added to its Facts. It uses the times of actions, so a
// replay in the same order gives the same facts. It is bounded, and it can be
// saved and restored. [ReadRules] reads norms, facts and the thresholds of
// [Numbers] from one file.
//
// # Changes
//
// [Monitor.Apply] carries out all of its changes or none. It stores the changes
// before it publishes them, so the store holds everything that is in force.
// Each revision has an Edition: 1, 2, 3 and so on. The Name identifies a norm
// over time: Amend and Repeal refer to it, and [History] returns its versions.
// [At] and [AtEdition] return the constitution as it was at a time or an
// edition, and checking the same actions again gives the same violations.
// [Diff] returns the changes that turn one set of norms into another.
// [Monitor.Reload] replaces the norms of one scope by a list, for example
// from a file, and leaves other scopes as they are.
//
// Several monitors can share a store, even in several processes if the store
// allows that. If another monitor has already written the next edition, the
// append fails with [ErrConflict], and Apply reads the new revisions and
// retries. [Monitor.Sync] reads new revisions without making a change.
// [Monitor.Follow] keeps a monitor in sync, and yields what comes into force.
//
// # Stores
//
// [MemStore] keeps revisions and the newest violations in memory. [FileStore]
// keeps them in a directory of JSON Lines; its comment lists what is guaranteed
// after an error or a crash. You can write a Store of your own, which has four
// methods, and test it with [TestStore].
//
// A Monitor stores revisions only. To keep violations, pass them to a
// [Recorder], which stores them in the background and never makes a tick wait.
// [QueryViolations] finds stored violations by agent, norm, severity or time.
//
// # Prepared actions
//
// Making the text of an action can take longer than checking it. If the words of
// places and creatures are known, keep them as [Word] values in components, join them
// into a [Prepared], and call [Constitution.AppendCheckPrepared]. The text is made
// for violations only. [Constitution.AppendAllowed] tells which of several verbs an
// agent may do, at the cost of a few checks. Violations keep the strings of their
// Action, so do not make these strings from a buffer that you reuse.
//
// # Concurrency
//
// Norm, Action, Violation and Revision are comparable values that share no
// mutable state. A Constitution, a Monitor, a Recorder and the stores are safe
// for concurrent use. A check on a Monitor loads a single atomic pointer, so it
// sees either all of an Apply or none of it. To judge all agents of a tick by
// the same norms, call [Monitor.Constitution] once per tick. A replaced
// constitution is garbage once nothing refers to it.
//
// # Cost
//
// A check of an action of up to 64 KiB allocates nothing if it finds no violation,
// or if the slice passed to AppendCheck has room for the violations that it finds.
// There is one exception: if a check has to compare words, it makes a copy of each
// that has invisible characters, is written with \| in a norm, or is invalid UTF-8
// in an agent's name. A check takes time proportional to the length of the action plus the
// number of index entries filed under its distinct words. A norm has one entry
// for each verb, filed under the rarest word of its condition, or under the verb
// if the verb is much rarer. If the rarest words are the alternatives of a token
// a|b, it has an entry for each alternative. It follows that:
//
//   - The number of norms hardly matters while each has a word that few others
//     have, or while all share one verb or one word of their conditions.
//   - If no word is rare, the number of entries grows with the number of norms.
//     An example is conditions that each have eight out of the same 32 words. For an
//     action with one verb, a check then scans the entries of that verb; for an
//     action with several verbs, it scans all entries under its words.
//   - A word that is repeated in an action is looked up once. The words of a
//     long action are sorted for that.
//   - A norm with a prefix adds a hash for each word of an action and each
//     distinct prefix length. A norm with an agent: token adds the words of Agent.
//     A feature that no norm in force uses costs nothing.
//   - Permits are looked up only after a prohibition has matched.
//   - A change copies only the parts of the index that it touches.
package normsync
