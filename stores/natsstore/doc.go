// Package natsstore keeps a world's constitution and violations in NATS
// JetStream, so that a fleet of servers shares them: a change that one server
// applies is in force on all of them within milliseconds.
//
// # Streams
//
// A store named WORLD uses these streams:
//
//	WORLD_REVISIONS   subject WORLD.revisions, a message for each Apply; nothing is ever deleted
//	WORLD_VIOLATIONS  subjects WORLD.violations.*, a message for each violation; its sequence is its number
//	OBJ_WORLD_LARGE   an object store for records beyond the server's maximum payload
//
// A message holds JSON: an array of revisions, or a violation. [New] creates the
// streams if they are not there. It does not change the configuration of existing
// streams, so that an operator can change limits, replicas and placement.
//
// # Promises
//
// AppendRevisions publishes one message, on the condition that the stream has not
// grown since the store last looked. So all of a batch is stored or nothing, and of
// two servers that take the same edition one gets [normsync.ErrConflict]. If the
// server does not answer, the store publishes again under the same message ID, which
// the server stores once. [ErrUnknownOutcome] means that the context ended before the
// server could say whether the batch is stored.
//
// AppendViolations publishes a message for each violation and waits for all the
// acknowledgments. It is no transaction: after an error, any of the batch may be
// stored, each violation whole.
//
// While there is no connection or no leader, every call but Open waits for it, until
// its context or, if that has no deadline, Options.Timeout ends. So a restart of a
// server goes unnoticed, apart from violations that were sent and not yet
// acknowledged.
//
// A nil error means that a server has acknowledged the batch: with one replica,
// the one server; with three or five, a majority of them. What an acknowledgment is
// worth is up to the servers:
//
//   - If a server process is killed, nothing acknowledged is lost.
//   - If a machine loses power, it may lose what its disk did not have yet. By
//     default a server syncs its files every two minutes. Set "sync_interval: always"
//     in the jetstream section of the server's configuration, as the example does, or
//     use three replicas on machines that do not lose power together.
//
// Reads go to the leader of the stream, so a store sees what it has appended.
package natsstore
