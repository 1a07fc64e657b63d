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
# title: The verifier asked for this evidence
# description: |
#   Its nonces are those that the verifier expected, or it is a token that was asked
#   for without one. The nonce of logged evidence is the log's own, and whoever can
#   write the log can write old evidence into it again.
# custom:
#   claim: nonce_source
asked_for if input.nonce_source in {"expected", "none"}

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

# METADATA
# title: The evidence is a token and nothing else
# description: |
#   Whoever issued it. Where there are claims of a TPM, a boot or a hardware report
#   as well, as in Cloud Logging, they are there to be judged and the token does not
#   stand in for them.
# custom:
#   claim: token
only_a_token if {
	is_object(input.token)
	not _measured
}

_measured if _ = input.tpm

_measured if _ = input.boot

_measured if _ = input.tee
