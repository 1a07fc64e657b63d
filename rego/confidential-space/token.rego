package attest

import data.attestctl.config
import data.attestctl.evidence
import data.attestctl.message
import data.attestctl.token

# METADATA
# title: The evidence is judged by its measurements
# description: All but a token alone, which has none. A configuration for tokens only cannot judge any.
measured if {
	configured
	not evidence.only_a_token
	_boot_configured
}

# METADATA
# title: The word of Google is taken for the measurements
# description: Only where the configuration says so, and only where there are no measurements.
# custom:
#   claim: iss
vouched if {
	configured
	tokens_accepted
	evidence.only_a_token
	token.google
}

# METADATA
# title: A token of Google will do
# description: It says less than measurements do; README.md lists what.
# custom:
#   claim: data.config
tokens_accepted if data.config.google_tokens == true

# What measurements are compared with may be left out where tokens will do.
default _boot_required := true

_boot_required := false if tokens_accepted

_boot_configured if {
	config.has("pcrs")
	config.has("secure_boot_pk")
	config.has("secure_boot_db")
}

# METADATA
# title: The policy does not say what to compare measurements with
# description: Its configuration is for tokens only.
# custom:
#   code: config-boot
#   claim: data.config
deny contains {
	"code": "config-boot",
	"msg": "config: set pcrs, secure_boot_pk and secure_boot_db; without them the policy accepts no evidence but tokens",
} if {
	configured
	not evidence.only_a_token
	not _boot_configured
}

# METADATA
# title: A token where measurements are wanted
# description: Google has seen the measurements, and says of them only what its claims say.
# custom:
#   code: token
#   claim: token
deny contains {
	"code": "token",
	"msg": message.wants(
		["tpm"],
		"measurements, which no token carries; to take the word of Google for them set google_tokens to true",
	),
} if {
	configured
	evidence.only_a_token
	not tokens_accepted
}

# METADATA
# title: A token of somebody else
# description: Who else has looked at a machine, and how, this policy does not know.
# custom:
#   code: token-issuer
#   claim: iss, oemid
deny contains {"code": "token-issuer", "msg": sprintf("%s; %s", [
	message.wants(["iss"], "\"https://confidentialcomputing.googleapis.com\""),
	message.wants(["oemid"], "11129"),
])} if {
	configured
	tokens_accepted
	evidence.only_a_token
	not token.google
}

# METADATA
# title: Secure Boot was off, says the token
# description: Then anything may have booted.
# custom:
#   code: secure-boot
#   claim: secboot
deny contains {"code": "secure-boot", "msg": message.wants(["secboot"], "true")} if {
	vouched
	not token.secure_boot_on
}

# METADATA
# title: A debug image, says the token
# description: Its operator can log in. A token that does not say which image it was is refused as well.
# custom:
#   code: debug-image
#   claim: dbgstat
deny contains {"code": "debug-image", "msg": message.wants(["dbgstat"], "\"disabled-since-boot\"")} if {
	vouched
	not debugging_accepted
}

# METADATA
# title: The image is of production by the token, or any will do
# description: The same setting lets debug images pass by their command line.
# custom:
#   claim: dbgstat
debugging_accepted if token.debugging_disabled

debugging_accepted if data.config.debug_images == true

# METADATA
# title: Google does not support the image so
# description: An image that is no longer supported has holes that are known.
# custom:
#   code: support-attributes
#   claim: submods.confidential_space.support_attributes
deny contains {
	"code": "support-attributes",
	"msg": message.among(
		["submods", "confidential_space", "support_attributes"],
		"support_attributes",
		_support_attributes,
	),
} if {
	vouched
	not support_accepted
}

_support_attributes := config.get("support_attributes", ["STABLE"])

# METADATA
# title: Google supports the image as configured, or it is a debug image and they will do
# description: Debug images have no support attributes.
# custom:
#   claim: submods.confidential_space.support_attributes, dbgstat
support_accepted if token.supported_as(_support_attributes)

support_accepted if {
	data.config.debug_images == true
	input.dbgstat == "enabled"
}

# METADATA
# title: Another service account
# description: Who may act as the account decides who may run the workload. Only tokens name any.
# custom:
#   code: service-account
#   claim: google_service_accounts
deny contains {"code": "service-account", "msg": sprintf("%s; only tokens name any", [
	message.one_of(["google_service_accounts"], "service_accounts"),
])} if {
	configured
	not service_account_accepted
}

# METADATA
# title: The service account is one of those configured
# description: Where none is configured, any will do, and none.
# custom:
#   claim: google_service_accounts
service_account_accepted if not config.has("service_accounts")

service_account_accepted if {
	token.service_account_in(data.config.service_accounts)
	_accounts_by_google
}

# Beside measurements another issuer's token could say anything of accounts; one
# alone is refused for its issuer.
_accounts_by_google if token.google

_accounts_by_google if evidence.only_a_token
