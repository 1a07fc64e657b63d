package seal

// DecryptUngated is the library alone.
var DecryptUngated = decrypt
