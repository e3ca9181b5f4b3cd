package normsync

import "github.com/normsync/normsync/internal/strictjson"

// The keys of the JSON objects. Most of them mean the same in each type that has them.
const (
	keyAction      = "action" // the verb of an action, and the whole action of a violation
	keyActionID    = "action_id"
	keyAdvice      = "advice"
	keyActive      = "active"
	keyAgentID     = "agent_id"
	keyBy          = "by"
	keyCondition   = "condition"
	keyDescription = "description"
	keyEdition     = "edition"
	keyFacts       = "facts" // of an action, and of a rule file
	keyFaction     = "faction"
	keyFrom        = "from" // the beginning of a norm's window, and a bound of a threshold
	keyID          = "id"
	keyLocation    = "location"
	keyMetadata    = "metadata"
	keyName        = "name"
	keyNorm        = "norm"
	keyNormID      = "norm_id"
	keyNormName    = "norm_name"
	keyNorms       = "norms"
	keyPermitted   = "permitted"
	keyPrev        = "prev"
	keyPriority    = "priority"
	keyProhibited  = "prohibited"
	keyReason      = "reason"
	keySchema      = "$schema" // of a file of norms, for editors; read, but never written
	keyScope       = "scope"
	keySeverity    = "severity"
	keyShadow      = "shadow"
	keyTarget      = "target"
	keyTimestamp   = "timestamp"
	keyType        = "revision_type"
	keyUnless      = "unless"
	keyUntil       = "until" // the end of a norm's window, and the tokens that end a fact
	keyVersion     = "version"
)

// The keys that are read, for each type, in the order in which they are written.
// Not read are the id of an action, which another program may compute differently,
// and the description of a violation, which follows from its other keys.
var (
	normKeys = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{
		keyID, keyName, keyDescription, keyCondition, keyProhibited, keyScope, keyActive, keyPriority,
		keyUnless, keyPermitted, keySeverity, keyShadow, keyAdvice, keyFrom, keyUntil, keySchema,
	}}

	actionKeys = strictjson.Keys{Unknown: strictjson.SkipUnknown, Known: []string{
		keyAgentID, keyAction, keyLocation, keyTarget, keyFaction, keyTimestamp, keyFacts, keyMetadata,
	}}

	violationKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: []string{
		keyID, keyNormID, keyNormName, keyActionID, keyAgentID, keySeverity, keyTimestamp, keyShadow, keyAdvice, keyEdition, keyAction,
	}, Required: []string{keyNormID, keyAction}}

	revisionKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: []string{
		keyID, keyEdition, keyNormID, keyType, keyVersion, keyBy, keyReason, keyTimestamp, keyNorm, keyPrev,
	}, Required: []string{keyEdition, keyType, keyVersion, keyNorm}}

	normListKeys = strictjson.Keys{Unknown: strictjson.SkipUnlessMisspelt, Known: []string{keySchema, keyNorms}, Required: []string{keyNorms}, Near: ruleLists}
)
