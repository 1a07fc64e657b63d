// Package policy decides over claims with Rego.
//
// A Source is the text of a policy; Compile checks it strictly against a list of
// allowed capabilities and makes an immutable Policy. An Engine decides: topdown,
// the reference, or WASM. Both take the same input bytes and give the same
// Decision, byte for byte. Whatever is not exactly "allow is true and deny is
// empty" denies.
package policy
