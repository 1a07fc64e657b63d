package attest

import data.attestctl.config
import data.attestctl.message
import data.attestctl.tdx
import data.attestctl.tee

# METADATA
# title: Another domain was built
# description: Its firmware is not one that the configuration knows.
# custom:
#   code: mrtd
#   claim: tee.tdx.mrtd
deny contains {"code": "mrtd", "msg": message.one_of(["tee", "tdx", "mrtd"], "mrtds")} if {
	configured
	tee.is_type("TDX")
	not tdx.mrtd_in(data.config.mrtds)
}

# METADATA
# title: A run-time register holds another value
# description: What the firmware started, and what that extended. One denial for each register that differs.
# custom:
#   code: rtmr
#   claim: tee.tdx.rtmr
deny contains {
	"code": "rtmr",
	"msg": sprintf("tee.tdx.rtmr[%s] is %s, want one of rtmrs: %v", [
		index,
		message.seen(["tee", "tdx", "rtmr", tdx.register[index]]),
		values,
	]),
} if {
	configured
	tee.is_type("TDX")
	some index, values in _rtmrs
	not tdx.rtmr_in(index, values)
}

# METADATA
# title: The host may debug the domain
# description: It can then read all of its memory. No setting allows it.
# custom:
#   code: debug
#   claim: tee.tdx.attributes.debug
deny contains {"code": "debug", "msg": message.wants(["tee", "tdx", "attributes", "debug"], "false")} if {
	configured
	tee.is_type("TDX")
	not tdx.not_debugged
}

# METADATA
# title: The domain has other attributes
# description: One denial for each that differs from what is configured, or else from the default.
# custom:
#   code: attribute
#   claim: tee.tdx.attributes
deny contains {
	"code": "attribute",
	"msg": message.wants(["tee", "tdx", "attributes", name], sprintf("%v", [want])),
} if {
	configured
	tee.is_type("TDX")
	some name, want in _attributes
	not tdx.attribute(name, want)
}

# METADATA
# title: Other extended features
# description: The mask of processor features that the domain may use.
# custom:
#   code: xfam
#   claim: tee.tdx.xfam
deny contains {"code": "xfam", "msg": message.one_of(["tee", "tdx", "xfam"], "xfams")} if {
	configured
	tee.is_type("TDX")
	not xfam_accepted
}

# METADATA
# title: The extended features are of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.xfam
xfam_accepted if not config.has("xfams")

xfam_accepted if input.tee.tdx.xfam in data.config.xfams

# METADATA
# title: Another configuration
# description: Whoever starts the domain chooses it, so that it says nothing on its own.
# custom:
#   code: mrconfigid
#   claim: tee.tdx.mrconfigid
deny contains {"code": "mrconfigid", "msg": message.one_of(["tee", "tdx", "mrconfigid"], "mrconfigids")} if {
	configured
	tee.is_type("TDX")
	not mrconfigid_accepted
}

# METADATA
# title: The configuration ID is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.mrconfigid
mrconfigid_accepted if not config.has("mrconfigids")

mrconfigid_accepted if input.tee.tdx.mrconfigid in data.config.mrconfigids

# METADATA
# title: Another owner
# description: Whoever starts the domain chooses it, so that it says nothing on its own.
# custom:
#   code: mrowner
#   claim: tee.tdx.mrowner
deny contains {"code": "mrowner", "msg": message.one_of(["tee", "tdx", "mrowner"], "mrowners")} if {
	configured
	tee.is_type("TDX")
	not mrowner_accepted
}

# METADATA
# title: The owner is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.mrowner
mrowner_accepted if not config.has("mrowners")

mrowner_accepted if input.tee.tdx.mrowner in data.config.mrowners

# METADATA
# title: Another configuration of the owner
# description: Whoever starts the domain chooses it, so that it says nothing on its own.
# custom:
#   code: mrownerconfig
#   claim: tee.tdx.mrownerconfig
deny contains {"code": "mrownerconfig", "msg": message.one_of(["tee", "tdx", "mrownerconfig"], "mrownerconfigs")} if {
	configured
	tee.is_type("TDX")
	not mrownerconfig_accepted
}

# METADATA
# title: The configuration of the owner is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.mrownerconfig
mrownerconfig_accepted if not config.has("mrownerconfigs")

mrownerconfig_accepted if input.tee.tdx.mrownerconfig in data.config.mrownerconfigs
