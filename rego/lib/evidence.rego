# METADATA
# title: The claims document as a whole
# description: |
#   Rules about the document that every policy reads as input, whatever it was
#   proven from.
package attestctl.evidence

# METADATA
# title: The document has the meaning that this library was written for
# description: A change of meaning makes a new version, and old rules must not decide over it.
# custom:
#   claim: schema
known_schema if input.schema == "attestctl.claims/v1"

# METADATA
# title: No check was switched off
# description: |
#   The claim is absent when no --insecure option was in force. That is the one
#   way in which absent is good, so the document must be there and the claim, if
#   there is one, must be the empty list.
# custom:
#   claim: insecure
no_check_switched_off if {
	is_object(input)
	_insecure == []
}

default _insecure := []

_insecure := input.insecure
