package normsync_test

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func ExampleMemory() {
	memory, err := normsync.NewMemory([]normsync.Fact{
		{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
	}, nil)
	check(err)
	monitor, err := normsync.NewMonitor(normsync.Norm{Name: "log in first", Prohibited: "*", Unless: "verb:login facts:authenticated"})
	check(err)
	for _, verb := range []string{"pay", "login", "pay", "logout", "pay"} {
		action := normsync.Action{Agent: "bob", Verb: verb, Time: time.Date(2026, 7, 1, 18, 30, 0, 0, time.UTC)}
		action.Facts = memory.Facts(action) // in a game: + " " + what else holds now
		if violations := monitor.Check(action); normsync.Denied(violations) {
			memory.Violated(violations...)
			why, err := memory.Explain("authenticated", action)
			check(err)
			fmt.Println(verb+":", why.Reason)
			continue
		}
		memory.Happened(action)
		fmt.Println(verb)
	}
	// Output:
	// pay: facts:authenticated is missing: no verb:login by this agent
	// login
	// pay
	// logout
	// pay: facts:authenticated is missing: no verb:login by this agent since verb:logout at 2026-07-01T18:30:00Z
}

func Example_ruleFile() {
	rules, err := normsync.ReadRules(strings.NewReader(`{
	  "norms": [
	    {"name": "peace", "condition": "location:town", "prohibited": "attack"},
	    {"name": "jail", "condition": "facts:third_strike", "prohibited": "*"},
	    {"name": "rest", "condition": "facts:low_health", "prohibited": "run"}
	  ],
	  "facts": [
	    {"name": "third_strike", "broke": "peace", "count": 3, "within": "10m"}
	  ],
	  "numbers": {
	    "health": [{"below": 20, "fact": "low_health"}]
	  }
	}`))
	check(err)
	monitor, err := normsync.NewMonitor(rules.Norms...)
	check(err)
	memory, err := normsync.NewMemory(rules.Facts, nil)
	check(err)
	numbers, err := normsync.NewNumbers(rules.Numbers)
	check(err)

	// In a tick, words that are prepared are only joined.
	hero := struct {
		name, place []normsync.Word
		health      float64
	}{normsync.AppendWords(nil, "hero"), normsync.AppendWords(nil, "town"), 15}
	constitution := monitor.Constitution()
	var facts []normsync.Word           // reused
	var violations []normsync.Violation // reused
	start := time.Date(2026, 7, 1, 18, 0, 0, 0, time.UTC)
	for i, verb := range []string{"run", "attack", "attack", "attack", "walk"} {
		action := normsync.Prepared{Agent: hero.name, Verb: normsync.AppendWords(nil, verb), Location: hero.place, Time: start.Add(time.Duration(i) * time.Minute)}
		facts = numbers.AppendFacts(facts[:0], "health", hero.health)
		facts = memory.AppendFacts(facts, &action)
		action.Facts = facts
		violations = constitution.AppendCheckPrepared(violations[:0], &action)
		if !normsync.Denied(violations) {
			memory.HappenedPrepared(&action)
		}
		memory.Violated(violations...)
		for _, v := range violations {
			fmt.Printf("%s is denied by %s: %s\n", verb, v.NormName, v.Action.Facts)
		}
	}
	// Output:
	// run is denied by rest: low_health
	// attack is denied by peace: low_health
	// attack is denied by peace: low_health
	// attack is denied by peace: low_health
	// walk is denied by jail: low_health third_strike
}

func Example_restart() {
	ctx := context.Background()
	facts := []normsync.Fact{
		{Name: "authenticated", After: "verb:login", Until: "verb:logout"},
		{Name: "second_strike", Broke: "peace", Count: 2},
	}
	store := new(normsync.MemStore) // in a server: a FileStore
	before, err := normsync.NewMemory(facts, nil)
	check(err)
	before.Happened(normsync.Action{Agent: "hero", Verb: "login"})
	for range 2 {
		violation := normsync.Violation{NormName: "peace", Action: normsync.Action{Agent: "hero", Verb: "attack"}}
		before.Violated(violation)
		check(store.AppendViolations(ctx, violation))
	}
	var snapshot bytes.Buffer // in a server: a file
	check(before.Snapshot(&snapshot))

	// After a restart, from the snapshot:
	after, err := normsync.NewMemory(facts, nil)
	check(err)
	check(after.Restore(&snapshot))
	fmt.Println(after.Facts(normsync.Action{Agent: "hero"}))

	// Or, without a snapshot, from the violations in the store:
	after, err = normsync.NewMemory(facts, nil)
	check(err)
	_, err = after.ReplayViolations(normsync.QueryViolations(ctx, store, normsync.ViolationQuery{}))
	check(err)
	fmt.Println(after.Facts(normsync.Action{Agent: "hero"}))
	// Output:
	// authenticated second_strike
	// second_strike
}

// story is a rule, as a rule file says it, and a log that shows it.
type story struct {
	name  string
	rules string
	log   string // lines: seconds, agent, verb, target or -, location:…, facts:…, and the norm that denies the action
}

// The order of steps in policies for agents that serve customers. The agent of an
// action is the conversation, and its target the thing that it is about.
var orderStories = []story{
	{"authenticate first", `{
		"norms": [{"name": "first", "prohibited": "*", "unless": "verb:find_customer facts:authenticated"}],
		"facts": [{"name": "authenticated", "after": "verb:find_customer", "until": "verb:end"}]
	}`, `
		0 c1 show_trip t1 = first
		1 c1 find_customer -
		2 c1 show_trip t1
		3 c2 show_trip t1 = first
		4 c1 end -
		5 c1 show_trip t1 = first`},
	{"confirm before each update", `{
		"norms": [{"name": "confirm", "prohibited": "change_* cancel_*", "unless": "facts:confirmed"}],
		"facts": [{"name": "confirmed", "after": "verb:customer_agrees", "until": "verb:change_*|cancel_*"}]
	}`, `
		0 c1 change_seat t1 = confirm
		1 c1 customer_agrees -
		2 c1 change_seat t1
		3 c1 change_seat t1 = confirm
		4 c1 customer_agrees -
		5 c1 cancel_trip t1`},
	{"the confirmation comes directly before the update", `{
		"norms": [{"name": "confirm", "prohibited": "pay", "unless": "facts:just_confirmed"}],
		"facts": [{"name": "just_confirmed", "after": "verb:customer_agrees", "until": "*"}]
	}`, `
		0 c1 customer_agrees -
		1 c1 show_trip t1
		2 c1 pay t1 = confirm
		3 c1 customer_agrees -
		4 c1 pay t1`},
	{"compensation only after the change", `{
		"norms": [{"name": "change first", "prohibited": "send_voucher", "unless": "facts:changed"}],
		"facts": [{"name": "changed", "after": "verb:change_trip|cancel_trip", "per": "agent target"}]
	}`, `
		0 c1 change_trip t1
		1 c1 send_voucher t2 = change first
		2 c1 send_voucher t1
		3 c2 send_voucher t1 = change first`},
	{"look at it before you change it", `{
		"norms": [{"name": "look", "prohibited": "change_* cancel_*", "unless": "facts:seen"}],
		"facts": [{"name": "seen", "after": "verb:show_order", "per": "agent target"}]
	}`, `
		0 c1 cancel_order o1 = look
		1 c1 show_order o1
		2 c1 cancel_order o1
		3 c1 cancel_order o2 = look`},
	{"say which items before the exchange", `{
		"norms": [{"name": "all items", "prohibited": "exchange", "unless": "facts:reminded"}],
		"facts": [{"name": "reminded", "after": "verb:remind_of_all_items", "per": "agent target", "until": "verb:exchange"}]
	}`, `
		0 c1 exchange o1 = all items
		1 c1 remind_of_all_items o1
		2 c1 exchange o1
		3 c1 exchange o1 = all items`},
	{"a refund only after the return", `{
		"norms": [{"name": "return first", "prohibited": "refund", "unless": "facts:returned"}],
		"facts": [{"name": "returned", "after": "verb:return", "per": "target", "until": "verb:refund"}]
	}`, `
		0 c1 refund o1 = return first
		1 c1 return o1
		2 c2 refund o1
		3 c2 refund o1 = return first`},
	{"nothing after the transfer to a human", `{
		"norms": [{"name": "over", "condition": "facts:transferred", "prohibited": "*"}],
		"facts": [{"name": "transferred", "after": "verb:transfer_to_human"}]
	}`, `
		0 c1 show_order o1
		1 c1 transfer_to_human -
		2 c1 show_order o1 = over
		3 c2 show_order o1`},
	{"diagnose before you send a technician", `{
		"norms": [{"name": "diagnose", "prohibited": "send_technician", "unless": "facts:diagnosed"}],
		"facts": [{"name": "diagnosed", "after": "verb:run_diagnosis", "per": "target", "within": "24h"}]
	}`, `
		0 c1 send_technician line1 = diagnose
		1 c1 run_diagnosis line1
		86400 c1 send_technician line1
		86401 c1 send_technician line1 = diagnose`},
	{"bill, then pay, then resume the line", `{
		"norms": [
			{"name": "bill first", "prohibited": "pay", "unless": "facts:billed"},
			{"name": "pay first", "prohibited": "resume", "unless": "facts:paid"}
		],
		"facts": [
			{"name": "paid", "after": "verb:pay facts:billed", "per": "target", "until": "verb:suspend"},
			{"name": "billed", "after": "verb:send_bill", "per": "target", "until": "verb:pay"}
		]
	}`, `
		0 c1 pay line1 = bill first
		1 c1 send_bill line1
		2 c1 resume line1 = pay first
		3 c1 pay line1
		4 c1 pay line1 = bill first
		5 c1 resume line1
		6 c1 suspend line1
		7 c1 resume line1 = pay first`},
	{"two checks of the identity before the number moves", `{
		"norms": [{"name": "check twice", "prohibited": "move_number", "unless": "facts:checked_twice"}],
		"facts": [{"name": "checked_twice", "after": "verb:check_identity", "count": 2, "within": "10m"}]
	}`, `
		0 c1 check_identity -
		1 c1 move_number line1 = check twice
		2 c1 check_identity -
		3 c1 move_number line1
		600 c1 move_number line1 = check twice`},
	{"what the customer declined is not offered again", `{
		"norms": [{"name": "declined", "condition": "facts:declined", "prohibited": "offer"}],
		"facts": [{"name": "declined", "after": "verb:customer_declines", "per": "agent target", "until": "verb:customer_asks"}]
	}`, `
		0 c1 offer insurance
		1 c1 customer_declines insurance
		2 c1 offer insurance = declined
		3 c1 offer roaming
		4 c1 customer_asks insurance
		5 c1 offer insurance`},
}

// What policies count, per thing or time.
var countStories = []story{
	{"exchange once per order", `{
		"norms": [{"name": "once", "condition": "facts:exchanged", "prohibited": "exchange"}],
		"facts": [{"name": "exchanged", "after": "verb:exchange", "per": "target"}]
	}`, `
		0 c1 exchange o1
		1 c2 exchange o1 = once
		2 c1 exchange o2`},
	{"ten warnings in ten seconds", `{
		"norms": [
			{"name": "no spam", "condition": "facts:spam", "prohibited": "shout"},
			{"name": "muted", "condition": "facts:ten_warnings", "prohibited": "shout say", "priority": 1}
		],
		"facts": [{"name": "ten_warnings", "broke": "\"no spam\"", "count": 10, "within": "10s"}]
	}`, `
		0 p1 shout - facts:spam = no spam
		1 p1 shout - facts:spam = no spam
		1 p1 shout - facts:spam = no spam
		1 p1 shout - facts:spam = no spam
		2 p1 shout - facts:spam = no spam
		2 p1 shout - facts:spam = no spam
		3 p1 shout - facts:spam = no spam
		3 p1 shout - facts:spam = no spam
		4 p1 shout - facts:spam = no spam
		5 p1 say -
		5 p1 shout - facts:spam = no spam
		6 p1 say - = muted
		9.5 p1 say - = muted
		10 p1 say -`},
	{"one voucher per trip", `{
		"norms": [{"name": "one voucher", "condition": "facts:compensated", "prohibited": "send_voucher"}],
		"facts": [{"name": "compensated", "after": "verb:send_voucher", "per": "target"}]
	}`, `
		0 c1 send_voucher t1
		1 c1 send_voucher t1 = one voucher
		2 c1 send_voucher t2`},
	{"five searches a minute", `{
		"norms": [{"name": "slow down", "condition": "facts:searched_much", "prohibited": "search_*"}],
		"facts": [{"name": "searched_much", "after": "verb:search_*", "count": 5, "within": "1m"}]
	}`, `
		0 c1 search_direct -
		1 c1 search_direct -
		2 c1 search_onestop -
		3 c1 search_direct -
		4 c1 search_direct -
		5 c1 search_direct - = slow down
		60 c1 search_direct -
		60.5 c1 search_direct - = slow down
		61 c1 search_direct -`},
	{"the third wrong password locks the account", `{
		"norms": [
			{"name": "wrong password", "condition": "facts:wrong", "prohibited": "login"},
			{"name": "locked", "condition": "facts:locked", "prohibited": "login", "priority": 1}
		],
		"facts": [{"name": "locked", "broke": "\"wrong password\"", "count": 3, "per": "target", "until": "verb:reset_password"}]
	}`, `
		0 c1 login bob facts:wrong = wrong password
		1 c2 login bob facts:wrong = wrong password
		2 c3 login bob facts:wrong = wrong password
		3 c1 login bob = locked
		4 c1 login eve
		5 admin reset_password bob
		6 c1 login bob`},
}

// What games forbid because of what happened.
var gameStories = []story{
	{"strike: the third offence bans", `{
		"norms": [
			{"name": "peace", "condition": "location:town", "prohibited": "attack"},
			{"name": "ban", "condition": "facts:third_strike", "prohibited": "*"}
		],
		"facts": [{"name": "third_strike", "broke": "peace", "count": 3, "within": "1h"}]
	}`, `
		0 orc attack elf location:town = peace
		1 orc attack elf location:forest
		2 orc attack elf location:town = peace
		3 orc walk - location:town
		4 orc attack elf location:town = peace
		5 orc walk - location:town = ban
		3600 orc walk - location:town`},
	{"cool-down: three seconds between two attacks", `{
		"norms": [{"name": "cool-down", "condition": "facts:just_attacked", "prohibited": "attack"}],
		"facts": [{"name": "just_attacked", "after": "verb:attack", "within": "3s"}]
	}`, `
		0 orc attack elf
		2.999 orc attack elf = cool-down
		3 orc attack elf
		3 elf attack orc`},
	{"cool-down for each verb", `{
		"norms": [{"name": "cool-down", "condition": "facts:just_done", "prohibited": "*"}],
		"facts": [{"name": "just_done", "after": "*", "within": "2s", "per": "agent verb"}]
	}`, `
		0 mage cast_fire elf
		1 mage cast_ice elf
		1.5 mage cast_fire elf = cool-down
		2 mage cast_fire elf`},
	{"curfew: from the evening bell to the morning bell", `{
		"norms": [{"name": "curfew", "condition": "location:street facts:curfew", "unless": "faction:watch", "prohibited": "walk run"}],
		"facts": [{"name": "curfew", "after": "verb:ring_evening_bell", "per": "world", "until": "verb:ring_morning_bell"}]
	}`, `
		0 elf walk - location:street
		1 monk ring_evening_bell -
		2 elf walk - location:street = curfew
		3 elf walk - location:inn
		4 monk ring_morning_bell -
		5 elf walk - location:street`},
	{"once per quest: one reward for each player", `{
		"norms": [{"name": "once", "condition": "facts:rewarded", "prohibited": "claim_reward"}],
		"facts": [{"name": "rewarded", "after": "verb:claim_reward", "per": "agent target"}]
	}`, `
		0 elf claim_reward quest1
		1 elf claim_reward quest1 = once
		2 elf claim_reward quest2
		3 orc claim_reward quest1`},
	{"first the key, then the door", `{
		"norms": [{"name": "key first", "prohibited": "open", "unless": "facts:has_key"}],
		"facts": [{"name": "has_key", "after": "verb:take target:key", "until": "verb:drop target:key"}]
	}`, `
		0 elf open door = key first
		1 elf take sword
		2 elf open door = key first
		3 elf take key
		4 elf open door
		5 elf drop key
		6 elf open door = key first`},
	{"cool-off: no trade for a minute where somebody fought", `{
		"norms": [{"name": "cool-off", "condition": "facts:recent_fight", "prohibited": "trade"}],
		"facts": [{"name": "recent_fight", "after": "verb:attack", "within": "1m", "per": "location"}]
	}`, `
		0 orc attack elf location:market
		1 dwarf trade elf location:market = cool-off
		2 dwarf trade elf location:harbor
		60 dwarf trade elf location:market`},
	{"not the same player two nights running", `{
		"norms": [{"name": "another player", "condition": "facts:guarded_last_night", "prohibited": "guard"}],
		"facts": [{"name": "guarded_last_night", "after": "verb:guard", "within": "36h", "per": "agent target"}]
	}`, `
		0 doctor guard ann
		86400 doctor guard ann = another player
		86400 doctor guard ben
		172800 doctor guard ann`},
	{"no talk after it is over", `{
		"norms": [{"name": "over", "condition": "facts:game_over", "prohibited": "say vote"}],
		"facts": [{"name": "game_over", "after": "verb:declare_winner", "per": "world", "until": "verb:start_game"}]
	}`, `
		0 ann say -
		1 host declare_winner -
		2 ben say - = over
		3 host start_game -
		4 ann vote ben`},
	{"submit once per round", `{
		"norms": [{"name": "submitted", "condition": "facts:submitted", "prohibited": "submit"}],
		"facts": [{"name": "submitted", "after": "verb:submit", "per": "agent location"}]
	}`, `
		0 france submit - location:spring_1901
		1 france submit - location:spring_1901 = submitted
		2 france submit - location:fall_1901`},
}

func TestStoriesOfFacts(t *testing.T) {
	require.Len(t, orderStories, 12)
	require.Len(t, countStories, 5)
	for _, stories := range [][]story{orderStories, countStories, gameStories} {
		for _, s := range stories {
			t.Run(s.name, func(t *testing.T) {
				rules, err := normsync.ReadRules(strings.NewReader(s.rules))
				require.NoError(t, err)
				c, err := normsync.Compile(rules.Norms...)
				require.NoError(t, err)
				memory, err := normsync.NewMemory(rules.Facts, nil)
				require.NoError(t, err)
				allowed, denied := 0, 0
				for line := range strings.Lines(strings.TrimSpace(s.log)) {
					step, want, _ := strings.Cut(strings.TrimSpace(line), " = ")
					a := actionOfStep(t, step)
					a.Facts += " " + memory.Facts(a)
					got := ""
					if vs := c.Check(a); normsync.Denied(vs) {
						memory.Violated(vs...)
						got = vs[0].NormName
						denied++
					} else {
						memory.Happened(a)
						allowed++
					}
					require.Equal(t, want, got, line)
				}
				require.NotZero(t, allowed)
				require.NotZero(t, denied)
			})
		}
	}
}

// actionOfStep reads a line of a log of a story.
func actionOfStep(t *testing.T, line string) normsync.Action {
	fields := strings.Fields(line)
	require.GreaterOrEqual(t, len(fields), 4, line)
	seconds, err := strconv.ParseFloat(fields[0], 64)
	require.NoError(t, err)
	a := normsync.Action{Agent: fields[1], Verb: fields[2], Target: strings.Trim(fields[3], "-"), Time: time.Unix(1e9, 0).Add(time.Duration(seconds * float64(time.Second)))}
	for _, field := range fields[4:] {
		name, word, _ := strings.Cut(field, ":")
		switch name {
		case "location":
			a.Location = word
		case "facts":
			a.Facts = word
		default:
			require.Fail(t, "unknown field", line)
		}
	}
	return a
}
