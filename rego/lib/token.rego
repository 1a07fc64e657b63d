# METADATA
# title: Attestation tokens of Google
# description: |
#   Google checks the measurements of a machine and signs what it makes of them.
#   The verifier has checked signature, times, issuer, audience and nonce. There is
#   nothing in a token to compare with reference values, and every customer's
#   machine has one that is as genuine.
package attestctl.token

# METADATA
# title: Google issued the token
# description: |
#   The issuer byte for byte, in the common block and as the token spelled it;
#   that of Google's staging environment is another. A verifier can be told to
#   expect any issuer, so that the policy says which one it believes.
# custom:
#   claim: iss, oemid
google if {
	input.iss == _issuer
	input.token.iss == _issuer
	input.oemid == 11129
}

_issuer := "https://confidentialcomputing.googleapis.com"

# METADATA
# title: Google found Secure Boot on
# description: Whose keys it used, no token says.
# custom:
#   claim: secboot
secure_boot_on if input.secboot == true

# METADATA
# title: The machine could not be debugged since it booted
# description: A production image of Confidential Space. Debug images say enabled.
# custom:
#   claim: dbgstat
debugging_disabled if input.dbgstat == "disabled-since-boot"

# METADATA
# title: Nothing says that the machine could be debugged
# description: |
#   Tokens of plain Compute Engine machines have not carried the claim since 2025:
#   where it is absent, nobody has looked. Where it is there, it must say disabled.
# custom:
#   claim: dbgstat
debugging_not_enabled if {
	is_object(input)
	_dbgstat == "disabled-since-boot"
}

default _dbgstat := "disabled-since-boot"

_dbgstat := input.dbgstat

# METADATA
# title: The workload runs as one of these service accounts
# description: |
#   Email addresses, whole. The claim is there only for accounts whose identity
#   tokens the machine gave to Google.
# custom:
#   claim: google_service_accounts
service_account_in(accounts) if {
	is_array(input.google_service_accounts)
	some account in input.google_service_accounts
	account in accounts
}

# METADATA
# title: Google supports the image in one of these ways
# description: |
#   Of LATEST, STABLE, USABLE and EXPERIMENTAL. An image has each that holds for
#   it; debug images have none.
# custom:
#   claim: submods.confidential_space.support_attributes
supported_as(attributes) if {
	is_array(input.submods.confidential_space.support_attributes)
	some attribute in input.submods.confidential_space.support_attributes
	attribute in attributes
}
