package attest

import data.attestctl.message
import data.attestctl.snp
import data.attestctl.tee

# METADATA
# title: Another processor line
# description: Products that will do are those with floors in the configuration.
# custom:
#   code: product
#   claim: tee.snp.product
deny contains {
	"code": "product",
	"msg": message.among(["tee", "snp", "product"], "tcb_floors", _products),
} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.product_in(_products)
}

# METADATA
# title: The platform is of a product configured, and its TCBs reach the floors of it
# description: Of what the platform reports, what it cannot undo, and what the guest was launched on.
# custom:
#   claim: tee.snp.product, tee.snp.tcb
tcbs_accepted if {
	some product, floors in _floors
	input.tee.snp.product == product
	snp.tcb_reaches("reported", floors)
	snp.tcb_reaches("committed", floors)
	snp.tcb_reaches("launch", _launch_floors[product])
}

# METADATA
# title: The platform is below a floor
# description: The signing key is that of the reported TCB. One denial for each component.
# custom:
#   code: tcb-reported
#   claim: tee.snp.tcb.reported
deny contains {
	"code": "tcb-reported",
	"msg": message.wants(["tee", "snp", "tcb", "reported", component], sprintf("%v or more", [least])),
} if {
	configured
	tee.is_type("SEV_SNP")
	some component, least in _floors[input.tee.snp.product]
	not snp.component_reaches("reported", component, least)
}

# METADATA
# title: The platform can go back below a floor
# description: The committed TCB is what the host cannot undo. One denial for each component.
# custom:
#   code: tcb-committed
#   claim: tee.snp.tcb.committed
deny contains {
	"code": "tcb-committed",
	"msg": message.wants(["tee", "snp", "tcb", "committed", component], sprintf("%v or more", [least])),
} if {
	configured
	tee.is_type("SEV_SNP")
	some component, least in _floors[input.tee.snp.product]
	not snp.component_reaches("committed", component, least)
}

# METADATA
# title: The guest was launched below a floor
# description: What was broken then may have been used then. One denial for each component.
# custom:
#   code: tcb-launch
#   claim: tee.snp.tcb.launch
deny contains {
	"code": "tcb-launch",
	"msg": message.wants(["tee", "snp", "tcb", "launch", component], sprintf("%v or more", [least])),
} if {
	configured
	tee.is_type("SEV_SNP")
	some component, least in _launch_floors[input.tee.snp.product]
	not snp.component_reaches("launch", component, least)
}

# METADATA
# title: Firmware that the host can undo
# description: The current TCB is not committed, and older firmware can be loaded again.
# custom:
#   code: provisional
#   claim: tee.snp.provisional
deny contains {"code": "provisional", "msg": message.wants(["tee", "snp", "provisional"], "false")} if {
	configured
	tee.is_type("SEV_SNP")
	not provisional_accepted
}

# METADATA
# title: The TCB in use is committed
# description: Where allow_provisional is true, either will do, but the claim has to be there.
# custom:
#   claim: tee.snp.provisional
provisional_accepted if snp.committed

provisional_accepted if {
	data.config.allow_provisional == true
	is_boolean(input.tee.snp.provisional)
}

# METADATA
# title: Another kind of key signed
# description: A VLEK is the same on many chips of a cloud provider.
# custom:
#   code: signing-key
#   claim: tee.snp.signing_key
deny contains {
	"code": "signing-key",
	"msg": message.among(["tee", "snp", "signing_key"], "signing_keys", _signing_keys),
} if {
	configured
	tee.is_type("SEV_SNP")
	not signing_key_accepted
}

# METADATA
# title: The kind of key is one of those configured
# description: VCEK where none is configured.
# custom:
#   claim: tee.snp.signing_key
signing_key_accepted if input.tee.snp.signing_key in _signing_keys

# METADATA
# title: Another provider's VLEK
# description: The certificate of a VLEK names the provider that it belongs to.
# custom:
#   code: csp
#   claim: tee.snp.certificate.csp_id
deny contains {"code": "csp", "msg": message.one_of(["tee", "snp", "certificate", "csp_id"], "csp_ids")} if {
	configured
	tee.is_type("SEV_SNP")
	signing_key_accepted
	not csp_accepted
}

# METADATA
# title: A VLEK is that of a provider configured
# description: A VCEK belongs to none.
# custom:
#   claim: tee.snp.certificate.csp_id
csp_accepted if input.tee.snp.signing_key == "VCEK"

csp_accepted if {
	input.tee.snp.signing_key == "VLEK"
	input.tee.snp.certificate.csp_id in data.config.csp_ids
}

# METADATA
# title: The host hides the chip
# description: Its key is masked, or its ID is.
# custom:
#   code: chip-masked
#   claim: tee.snp.chip_key_masked, tee.snp.chip_id
deny contains {
	"code": "chip-masked",
	"msg": sprintf("%s; %s", [
		message.wants(["tee", "snp", "chip_key_masked"], "false"),
		message.wants(["tee", "snp", "chip_id"], "the ID of the chip"),
	]),
} if {
	configured
	tee.is_type("SEV_SNP")
	not masked_chip_accepted
}

# METADATA
# title: The chip is shown
# description: Where allow_masked_chip is true, it may be hidden.
# custom:
#   claim: tee.snp.chip_key_masked, tee.snp.chip_id
masked_chip_accepted if snp.chip_shown

masked_chip_accepted if {
	data.config.allow_masked_chip == true
	is_boolean(input.tee.snp.chip_key_masked)
}

# METADATA
# title: The platform is set up in another way
# description: One denial for each flag that is configured and differs.
# custom:
#   code: platform
#   claim: tee.snp.platform
deny contains {"code": "platform", "msg": message.wants(["tee", "snp", "platform", flag], sprintf("%v", [want]))} if {
	configured
	tee.is_type("SEV_SNP")
	some flag, want in _platform
	not snp.platform_flag(flag, want)
}

# METADATA
# title: The platform says what nobody here knows
# description: Bits without a name may be features of newer processors; who knows what they are lists them.
# custom:
#   code: platform-unknown
#   claim: tee.snp.platform.unknown_bits
deny contains {
	"code": "platform-unknown",
	"msg": message.among(
		["tee", "snp", "platform", "unknown_bits"],
		"accept_unknown_platform_bits",
		_unknown_platform_bits,
	),
} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.platform_known_but_for(_unknown_platform_bits)
}

# METADATA
# title: Nobody looked whether keys are revoked
# description: AMD's list was not given to the verifier.
# custom:
#   code: revocation
#   claim: tee.snp.revocation
deny contains {"code": "revocation", "msg": message.wants(["tee", "snp", "revocation"], "\"checked\"")} if {
	configured
	tee.is_type("SEV_SNP")
	not revocation_accepted
}

# METADATA
# title: Revocation was checked
# description: Where allow_unchecked_revocation is true, it need not be.
# custom:
#   claim: tee.snp.revocation
revocation_accepted if snp.revocation_checked

revocation_accepted if {
	data.config.allow_unchecked_revocation == true
	input.tee.snp.revocation == "unchecked"
}

# METADATA
# title: Reports of this product can be forged
# description: Its keys are broken at every TCB, so that no floor helps.
# custom:
#   code: known-break
#   claim: tee.snp.known_breaks
deny contains {
	"code": "known-break",
	"msg": message.wants(["tee", "snp", "known_breaks"], sprintf("none but accept_known_breaks: %v", [_known_breaks])),
} if {
	configured
	tee.is_type("SEV_SNP")
	not snp.unbroken_but_for(_known_breaks)
}
