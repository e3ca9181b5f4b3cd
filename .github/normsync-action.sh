#!/bin/bash
# Does the work of the GitHub Action; action.yml describes the inputs and outputs.
#
# It reads the variables INPUT_*, GITHUB_ACTION_PATH, GITHUB_STEP_SUMMARY, GITHUB_OUTPUT
# and RUNNER_TEMP. If NORMSYNC_BIN is set, it names the program, and none is built. The
# script runs with bash 3.2, which macOS has.
set -euo pipefail
shopt -s globstar 2>/dev/null || true # bash 3.2 does not have it

work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/normsync.XXXXXX")
report=$work/report.md
max_summary=1000000 # bytes; GitHub refuses a summary of more than 1 MiB

# escape writes a text such that it cannot end a workflow command.
escape() {
	local text=$1
	text=${text//'%'/%25}
	text=${text//$'\r'/%0D}
	printf '%s' "${text//$'\n'/%0A}"
}

# fail ends the step with an error that is not a finding.
fail() {
	printf '::error title=normsync::%s\n' "$(escape "$*")"
	exit 2
}

# show runs a command with its output in the log. The output has text from rule files
# and logs, so GitHub must not obey it.
show() {
	local token status=0
	token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	printf '::stop-commands::%s\n' "$token"
	"$@" 2>&1 || status=$?
	printf '\n::%s::\n' "$token"
	return "$status"
}

# run runs a normsync command, appends its output to a file, and sets status. It ends the
# step if the exit code is an error and not a finding.
run() {
	local out=$1 cause
	shift
	status=0
	"$normsync" "$@" >>"$out" 2>"$work/stderr" || status=$?
	if ((status > 1)); then
		# Nobody sees the store that a log is recorded in.
		sed 's/; the violations up to it are recorded$//' "$work/stderr" >"$work/errors"
		show cat "$work/errors" || true
		cause=$(sed -n 's/^normsync: //p' "$work/errors" | tail -n 1)
		fail "normsync $1 has failed: ${cause:-the log says why}"
	fi
}

# number writes the number that follows a key in a JSON text on the standard input. A
# text within the JSON cannot look like a key, since its quotes are escaped.
number() { grep -o "\"$1\":[0-9][0-9]*" | sed -n '1s/.*://p'; }

# expand adds the files that match the patterns, one a line, to the array files. A line
# that matches nothing may be a path, such as [old].json. A path does not go first, since
# a file with the name *.json would then hide all others.
expand() {
	local pattern path found
	while IFS= read -r pattern || [[ -n $pattern ]]; do
		pattern=${pattern#"${pattern%%[![:space:]]*}"}
		pattern=${pattern%"${pattern##*[![:space:]]}"}
		[[ -n $pattern ]] || continue
		found=
		while IFS= read -r path; do
			found=yes
			[[ $path != -* ]] || path=./$path # not a flag
			files+=("$path")
		done < <(compgen -G "$pattern" || true)
		if [[ -z $found && -e $pattern ]]; then
			found=yes
			[[ $pattern != -* ]] || pattern=./$pattern
			files+=("$pattern")
		fi
		[[ -n $found ]] || fail "$2: no file matches $pattern"
	done <<<"$1"
}

# note adds to what was found.
note() { found+=${found:+, }$1; }

# section begins a section of the report. More lines may follow the title.
section() {
	printf '\n## %s\n\n' "$1" >>"$report"
	shift
	(($# == 0)) || printf '%s\n' "$@" >>"$report"
}

case ${INPUT_FAIL_ON_VIOLATION:-true} in
true | True | TRUE) fail_on_violation=yes ;;
false | False | FALSE) fail_on_violation= ;;
*) fail "fail-on-violation is ${INPUT_FAIL_ON_VIOLATION}; use true or false" ;;
esac

files=()
expand "${INPUT_RULES:-}" rules
rules=(${files[@]+"${files[@]}"})
files=()
expand "${INPUT_TESTS:-}" tests
tests=(${files[@]+"${files[@]}"})

# The store is named by a variable, since an address may have a password.
store=
export NORMSYNC_STORE="sqlite:${INPUT_DB:-.normsync/norms.db}"
if [[ -n ${INPUT_STORE:-} ]]; then
	NORMSYNC_STORE=$INPUT_STORE
	store=yes
elif [[ -e ${INPUT_DB:-.normsync/norms.db} ]]; then
	store=yes
fi
if [[ -z $store ]] && ((${#rules[@]} == 0)); then
	fail "there are no rules: name rule files in rules, or a store in db or store; there is no file ${INPUT_DB:-.normsync/norms.db}"
fi
actions=${INPUT_ACTIONS:-}
[[ $actions != -* ]] || actions=./$actions
if [[ -n $actions && ! -f $actions ]]; then
	fail "actions: there is no file $actions"
fi

normsync=${NORMSYNC_BIN:-}
if [[ -z $normsync ]]; then
	version=${INPUT_VERSION:-}
	if [[ -n $version ]]; then
		[[ $version =~ ^[0-9A-Za-z][0-9A-Za-z.+_-]*$ ]] || fail "version is $version; write a version such as v0.2.0, or latest"
		GOWORK=off GOBIN=$work go install "github.com/normsync/normsync/cmd/normsync@$version"
	else
		path=${GITHUB_ACTION_PATH:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
		GOWORK=$path/go.work go -C "$path/cmd/normsync" build -buildvcs=false -o "$work/" .
	fi
	normsync=$work/normsync
elif ! command -v -- "$normsync" >/dev/null; then
	fail "NORMSYNC_BIN: there is no program $normsync"
fi

found=   # what was found, with commas between
invalid= # not empty if the rules cannot be used
faults=  # the outputs
failed_tests=
violations=
allowed=
denied=
annotations=$work/annotations
: >"$report"
: >"$annotations"

if ((${#rules[@]})); then
	show "$normsync" lint -- "${rules[@]}" || note 'faults of the rules'
	run "$work/lint.json" lint --json -- "${rules[@]}"
	faults=$(number finding_count <"$work/lint.json")
	! grep -q '"level":"error"' "$work/lint.json" || invalid=yes
	run "$annotations" lint --format github -- "${rules[@]}"
	section Rules
	run "$report" lint --format markdown -- "${rules[@]}"
	judged=("${rules[@]}")
else
	run "$work/rules.json" export
	judged=("$work/rules.json")
fi

if [[ -z $invalid ]]; then
	files=("${judged[@]}" ${tests[@]+"${tests[@]}"})
	run "$work/test.json" test --json -- "${files[@]}"
	failed_tests=$(number failed <"$work/test.json")
	if ((failed_tests + $(number passed <"$work/test.json"))); then
		show "$normsync" test --coverage -- "${files[@]}" || note 'failed tests'
		run "$annotations" test --format github -- "${files[@]}"
		section Tests
		run "$report" test --coverage --format markdown -- "${files[@]}"
	fi

	if ((${#rules[@]})) && [[ -n $store ]]; then
		section 'What the rule files would change in the store' '```diff'
		run "$report" import --plan -- "${rules[@]}"
		printf '```\n' >>"$report"
	fi

	if [[ -n $actions ]]; then
		log_store=sqlite:$work/log.db
		run "$work/import.txt" import --store "$log_store" -- "${judged[@]}"
		run "$work/check.json" check --store "$log_store" --actions "$actions" --summary --json
		((status == 0)) || note 'denied actions'
		allowed=$(number allowed <"$work/check.json")
		denied=$(number denied <"$work/check.json")
		violations=$(number violation_count <"$work/check.json")
		section 'Log of actions' "$allowed allowed, $denied denied." ''
		run "$report" violations --store "$log_store" --format markdown
	elif [[ -n $store ]]; then
		run "$work/status.json" status --fail-on-violation --json
		((status == 0)) || note 'recorded violations'
		violations=$(number violations <"$work/status.json")
		section 'Recorded violations'
		run "$report" violations --format markdown
	fi
fi
cat "$annotations"

result='nothing was found'
[[ -z $found ]] || result="found: $found"
[[ -z $invalid ]] || result+='; the rules are invalid, so nothing else was checked'
{
	printf '# normsync\n\nResult: %s.\n' "$result"
	cat "$report"
} >"$work/whole.md"
mv "$work/whole.md" "$report"

if [[ -n ${GITHUB_STEP_SUMMARY:-} ]]; then
	head -c "$max_summary" "$report" >>"$GITHUB_STEP_SUMMARY"
	if (($(wc -c <"$report") > max_summary)); then
		printf '\n\nThe rest is in the file that the output report names.\n' >>"$GITHUB_STEP_SUMMARY"
	fi
fi
if [[ -n ${GITHUB_OUTPUT:-} ]]; then
	printf '%s\n' "violations=$violations" "allowed=$allowed" "denied=$denied" "faults=$faults" \
		"failed-tests=$failed_tests" "report=$report" >>"$GITHUB_OUTPUT"
fi

if [[ -n $invalid || -n $found && -n $fail_on_violation ]]; then
	printf '::error title=normsync::%s\n' "$result"
	exit 1
fi
printf 'normsync: %s\n' "$result"
