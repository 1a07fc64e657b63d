// Package audit keeps the log of the decisions of a server: one JSON line a
// decision, on disk before a secret leaves, and chained, so that nobody changes,
// removes or inserts a line unseen.
//
// A log is a file of lines, each a JSON object in printable ASCII and in the one
// encoding that a [Log] writes. A line begins with its number and the SHA-256 of
// the line before it, of the bytes without the newline; the first has the number 1
// and zeros:
//
//	{"seq":1,"prev":"00…","checkpoint":{…,"event":"start","every":1000,"key":"…","signature":"…"}}
//	{"seq":2,"prev":"9c…","decision_id":"…","timestamp":"…",…}
//
// A line is a [Record] or a checkpoint. A checkpoint is signed with Ed25519 and so
// vouches for every line before it. There is one at the start, one at least every
// so many records as the checkpoint before says, one when a writer takes the log
// up again, which notes the torn line it had to cut, and one at the end.
//
// What the log cannot show: who can write the file can shorten it to an earlier
// whole line, and can change the records after the last checkpoint, which no
// signature covers yet. [Summary] says how many these are. Whoever must notice the
// former keeps the last sequence number in another place.
package audit
