package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync"
)

// PythonData is what a database of the Python tool normsync holds.
type PythonData struct {
	// Norms are the norms that this library accepts, in the order in which they
	// were added. Those that are not active have Repealed set.
	Norms []normsync.Norm
	// Refused are the other norms, and why.
	Refused []RefusedNorm
	// Violations are in the order of their time.
	Violations []normsync.Violation
}

// RefusedNorm is a norm of the Python tool that this library does not accept.
type RefusedNorm struct {
	Norm normsync.Norm
	Err  error
}

// ImportPython reads a database of the Python tool normsync, by default
// .normsync/norms.db. It changes nothing.
//
// Pass the norms to [normsync.Monitor.Apply], each by [normsync.Enact] unless it is
// Repealed, and the violations to AppendViolations of a store. Note that the Python
// tool found words anywhere in an action's text, but this library matches whole
// tokens: "attack" does not match "counterattack". The Python tool took any number of
// norms of one name; this library takes one, so the others are refused.
//
// The Python tool did not store the action of a violation. ImportPython takes the
// verb and the location from the violation's sentence. If that leaves more than one
// reading, both are empty. The history of the norms is not imported: the Python tool's
// revisions do not say what a norm was before.
func ImportPython(ctx context.Context, path string) (*PythonData, error) {
	d, err := importPython(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("normsync: import %s: %w", path, err)
	}
	return d, nil
}

func importPython(ctx context.Context, path string) (*PythonData, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // SQLite says less
	}
	db, err := open(path, "mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state of both tables
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	d := new(PythonData)
	if err := d.readNorms(ctx, tx); err != nil {
		return nil, fmt.Errorf("table norms: %w", err)
	}
	if err := d.readViolations(ctx, tx); err != nil {
		return nil, fmt.Errorf("table violations: %w", err)
	}
	return d, nil
}

func (d *PythonData) readNorms(ctx context.Context, tx *sql.Tx) error {
	// An empty text stands for NULL, which some versions of the tool wrote.
	rows, err := query(ctx, tx, `SELECT rowid, COALESCE(name, ''), COALESCE(description, ''), COALESCE(condition, ''), COALESCE(prohibited, ''),
		COALESCE(scope, ''), COALESCE(active, 1), COALESCE(priority, 0) FROM norms ORDER BY rowid`)
	if err != nil {
		return err
	}
	defer rows.Close()
	active := map[string]normsync.Norm{}
	for rows.Next() {
		var n normsync.Norm
		var row int64
		var activeValue, priority any // SQLite takes any value in any column
		if err := rows.Scan(&row, &n.Name, &n.Description, &n.Condition, &n.Prohibited, &n.Scope, &activeValue, &priority); err != nil {
			return err
		}
		if n.Scope == "global" {
			n.Scope = ""
		}
		isActive, err := boolean(activeValue)
		if err != nil {
			err = fmt.Errorf("%w norm %q: active: %w", normsync.ErrInvalid, n.Name, err)
		} else if n.Priority, err = integer(priority); err != nil {
			err = fmt.Errorf("%w norm %q: priority: %w", normsync.ErrInvalid, n.Name, err)
		} else {
			err = n.Validate()
		}
		if other, ok := active[n.Name]; err == nil && isActive && ok {
			err = fmt.Errorf("%w: another norm named %q forbids %q if %q; give one of them another name", normsync.ErrExists, n.Name, other.Prohibited, other.Condition)
		}
		n.Repealed = !isActive
		if err != nil {
			d.Refused = append(d.Refused, RefusedNorm{n, fmt.Errorf("%w (row %d of the table norms)", err, row)})
			continue
		}
		if isActive {
			active[n.Name] = n
		}
		d.Norms = append(d.Norms, n)
	}
	return rows.Err()
}

func (d *PythonData) readViolations(ctx context.Context, tx *sql.Tx) error {
	rows, err := query(ctx, tx, `SELECT rowid, COALESCE(norm_id, ''), COALESCE(norm_name, ''), COALESCE(agent_id, ''), COALESCE(description, ''),
		COALESCE(severity, 'warn'), COALESCE(timestamp, 0.0) FROM violations ORDER BY timestamp, rowid`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v normsync.Violation
		var row int64
		var normID, sentence string
		var value any
		if err := rows.Scan(&row, &normID, &v.NormName, &v.Action.Agent, &sentence, &v.Severity, &value); err != nil {
			return err
		}
		timestamp, err := number(value)
		if err != nil {
			return fmt.Errorf("row %d, of norm %q and agent %q: timestamp: %w", row, v.NormName, v.Action.Agent, err)
		}
		v.NormID, _ = normsync.ParseID(normID) // zero if it is none
		v.Action.Verb, v.Action.Location = parseSentence(sentence, v.Action.Agent, v.NormName)
		v.Action.Time = pythonTime(timestamp)
		if v, err = v.Canonical(); err != nil {
			return fmt.Errorf("row %d, of norm %q and agent %q: %w", row, v.NormName, v.Action.Agent, err)
		}
		d.Violations = append(d.Violations, v)
	}
	return rows.Err()
}

func query(ctx context.Context, tx *sql.Tx, text string) (*sql.Rows, error) {
	rows, err := tx.QueryContext(ctx, text)
	if err != nil {
		err = fmt.Errorf("%w; check that the file is a database of the Python tool", err)
	}
	return rows, err
}

// textOf returns a value of SQLite as text, in which the real number 7.0 is 7.
func textOf(value any) string {
	if b, ok := value.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(value)
}

func boolean(value any) (bool, error) {
	b, err := strconv.ParseBool(textOf(value))
	if err != nil {
		return false, fmt.Errorf("%.40q is neither 1 nor 0; correct it in the file", textOf(value))
	}
	return b, nil
}

func integer(value any) (int, error) {
	n, err := strconv.Atoi(textOf(value))
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number; correct it in the file", textOf(value))
	}
	return n, nil
}

func number(value any) (float64, error) {
	if f, ok := value.(float64); ok {
		return f, nil
	}
	f, err := strconv.ParseFloat(textOf(value), 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a number of seconds; correct it in the file", textOf(value))
	}
	return f, nil
}

// parseSentence returns the verb and the location of a sentence such as
//
//	Agent 'hero' performed 'attack' in 'safe_zone', violating norm 'peace'
//
// or two empty texts if a quote in the way leaves more than one reading.
func parseSentence(sentence, agent, norm string) (verb, location string) {
	rest, ok := strings.CutPrefix(sentence, "Agent '"+agent+"' performed '")
	if !ok {
		return "", ""
	}
	if rest, ok = strings.CutSuffix(rest, "', violating norm '"+norm+"'"); !ok {
		return "", ""
	}
	verb, location, ok = strings.Cut(rest, "' in '")
	if !ok || strings.Contains(location, "' in '") {
		return "", ""
	}
	return verb, location
}

// pythonTime returns the time of a timestamp in seconds, to the microsecond: a
// float64 has no more for the present time.
func pythonTime(seconds float64) time.Time {
	whole, fraction := math.Modf(seconds)
	if seconds == 0 || math.IsNaN(seconds) || math.Abs(whole) > 250e9 { // beyond year 9999
		return time.Time{}
	}
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC()
}
