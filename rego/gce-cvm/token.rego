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
	"msg": "config: set secure_boot_pk and secure_boot_db; without them the policy accepts no evidence but tokens",
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
# title: The machine could be debugged, says the token
# description: Tokens of plain machines have not carried the claim since 2025; absent, it says nothing.
# custom:
#   code: debug
#   claim: dbgstat
deny contains {"code": "debug", "msg": message.wants(["dbgstat"], "absent or \"disabled-since-boot\"")} if {
	vouched
	not token.debugging_not_enabled
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
