module github.com/normsync/normsync/internal/bench/peers

go 1.25.0

require (
	github.com/cedar-policy/cedar-go v1.8.0
	github.com/normsync/normsync v0.0.0
)

require golang.org/x/exp v0.0.0-20220921023135-46d9e7742f1e // indirect

replace github.com/normsync/normsync v0.0.0 => ../../..
