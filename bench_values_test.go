package normsync

import (
	"testing"
	"time"
)

// A violation as a game has it: 500 bytes of JSON.
func someViolation() Violation {
	n := Norm{Name: "no-attack-in-safe-zone", Condition: "safe_zone", Prohibited: "attack"}
	return Violation{NormID: n.ID(), NormName: n.Name, Severity: SeverityWarn, Edition: 12, Action: Action{
		Agent: "hero-17", Verb: "attack", Location: "town safe_zone", Target: "merchant", Faction: "red",
		Time: time.Unix(1700000000, 123456789).UTC(),
	}}
}

var actionSizes = []struct {
	name   string
	action Action
}{
	{"metadata=none", someViolation().Action},
	{"metadata=small", Action{Agent: "hero-17", Verb: "attack", Metadata: `{"mood":["grim",12345678901234567890],"weapon":"<sword>"}`}},
	{"script=chinese", Action{Agent: "伊莎贝拉", Verb: "睡觉", Location: "霍布斯咖啡馆 柜台", Target: "沙发"}},
}

func BenchmarkActionID(b *testing.B) {
	for _, c := range actionSizes {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.action.ID()
			}
		})
	}
}

func BenchmarkViolationAppendJSON(b *testing.B) {
	for _, c := range actionSizes {
		v := someViolation()
		v.Action = c.action
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			room := make([]byte, 0, 4096)
			for b.Loop() {
				text, err := v.appendJSON(room)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(text)))
			}
		})
	}
}

func BenchmarkViolationUnmarshalJSON(b *testing.B) {
	for _, c := range actionSizes {
		v := someViolation()
		v.Action = c.action
		text, err := v.appendJSON(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := v.UnmarshalJSON(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNormValidate(b *testing.B) {
	n := Norm{Name: "no-attack-in-safe-zone", Description: "Safe zones are safe.", Condition: "safe_zone location:town", Unless: "war", Prohibited: "attack steal"}
	b.ReportAllocs()
	for b.Loop() {
		if err := n.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
