// Package normsync is a world constitution: the rules of a simulated world,
// kept outside the agents' code, against which any agent's action is checked.
//
// A [Norm] says when it applies, and which verbs it then forbids or expressly
// allows. An [Action] is something that an agent does. [Constitution.Check]
// compares an action with the norms in force and returns a [Violation] for each
// norm that it breaks. A [Constitution] never changes; a [Monitor] holds the
// one in force and puts another in its place, while others check. Each change
// that was made is a [Revision]. A [Store] keeps revisions and violations.
//
// Checking never blocks, never fails and reads no clock. What an action that
// breaks a norm comes to is left to the caller: the package denies nothing by
// itself.
//
// # Matching
//
// Verb, Location, Target and Faction of an action are split at white space
// into tokens. A norm looks for whole tokens: zone is not found in safe_zone.
// Case does not count, as in [strings.EqualFold]. A token of a norm is
//
//	word           found where some token is equal to it
//	word*          found where some token begins with it; * is any token
//	field:word     found in that field only; also field:word* and field:*
//
// where field is action, location, target, faction or agent. The agent is
// looked at by agent: tokens only, and split as the others are. A token with any
// other text before a colon is a word like others.
//
// A norm applies when every token of Condition is found and no token of Unless
// is. One that applies forbids the action when some token of Prohibited is
// found in its verb, and permits it when some token of Permitted is. Prohibited
// and Permitted have word and word* alone.
//
// A norm that forbids an action is violated, unless one that permits it has a
// strictly higher Priority. Violations come by Priority from the highest on,
// then by Name. The violation of a Shadow norm is reported and denies nothing;
// a Shadow permit overrides nothing.
//
// Scope, Description, Severity and Metadata are never matched. Verdicts are
// exact: the index works with hashes, keyed by a secret of the process, but
// what it finds is compared text by text before it counts.
//
// # Changing
//
// [Monitor.Apply] carries out all of its changes or none. It stores them first
// and publishes them second, so that nothing is in force that the store does
// not hold. Every revision has an Edition: 1, 2, 3 and so on. A Name is what a
// norm is known by over time: amend and repeal name it, [History] follows it.
// [At] and [AtEdition] are the constitution as it was, and find the violations
// that it found. [Diff] leads from one set of norms to another.
//
// Any number of monitors can share a store, in any number of processes as far
// as the store can be shared: an edition that is taken is refused with
// [ErrConflict], upon which Apply brings in what others did and tries again.
// [Monitor.Sync] brings it in without a change.
//
// # Stores
//
// [MemStore] keeps everything in memory, and of violations the newest. A
// [FileStore] is a directory of JSON Lines; its comment says what nil, each
// error and each kind of crash mean. A store of one's own has four methods, and
// is proven by [TestStore]. [Monitor] stores revisions only: a violation is
// kept by who checks, most often with a [Recorder], which never makes a tick
// wait for a disk.
//
// # Concurrency
//
// Norms, actions, violations and revisions are values that share nothing
// mutable. Any number of goroutines may use a Constitution, a Monitor, a
// Recorder or a store at once. Who checks loads one atomic pointer, and sees
// all of an Apply or nothing of it. Within a tick, take [Monitor.Constitution]
// once, so that all agents are judged by the same rules. A constitution that
// was replaced is freed once nobody holds it.
//
// # Cost
//
// A check allocates nothing when nothing is violated, nor when violations are
// appended to a slice with room, nor for an action of 64 KiB. One that finds a
// violation takes about four times as long as one that finds none, since texts
// are compared before anything is reported. The time of a check is that of the
// bytes of the action, plus that of the entries of the index under the action's
// different words. A norm has an entry for each of its verbs. An entry is filed
// under one token: under that of the condition under which the fewest are, or
// under the verb, where that is much rarer. So:
//
//   - The number of norms does not count while each has some word that few
//     others have, but for what fits into the processor's caches. It does not
//     count either when all norms share one verb, or all share one word of their
//     conditions.
//   - Where no word is rare, as in conditions of eight out of 32 words, a check
//     looks at a number of entries that grows with that of the norms. With one
//     verb in the action these are the entries of that verb under the action's
//     words; with several verbs, all entries under those words.
//   - A word that stands in an action many times is looked up once. The cost of
//     a long action grows as that of sorting its words does.
//   - Prefixes cost a hash for each word and each different length of prefix
//     among the norms in force: a check may take three times as long. Tokens
//     with agent: cost the reading of the agent. What no norm in force asks for costs nothing. Permits are looked
//     for only when a prohibition has matched.
//   - A change copies the parts of the index that it touches, not the whole.
//
// The command internal/bench measures most of this; tests count the rest.
package normsync
