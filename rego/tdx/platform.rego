package attest

import data.attestctl.config
import data.attestctl.message
import data.attestctl.tdx
import data.attestctl.tee

# METADATA
# title: Another TDX module
# description: Its version is judged by the TCB; this is for those who want one build and no other.
# custom:
#   code: mrseam
#   claim: tee.tdx.mrseam
deny contains {"code": "mrseam", "msg": message.one_of(["tee", "tdx", "mrseam"], "mrseams")} if {
	configured
	tee.is_type("TDX")
	not mrseam_accepted
}

# METADATA
# title: The TDX module is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.mrseam
mrseam_accepted if not config.has("mrseams")

mrseam_accepted if input.tee.tdx.mrseam in data.config.mrseams

# METADATA
# title: Somebody else signed the TDX module
# description: Intel's own modules have zeros there.
# custom:
#   code: mrsignerseam
#   claim: tee.tdx.mrsignerseam
deny contains {
	"code": "mrsignerseam",
	"msg": message.among(["tee", "tdx", "mrsignerseam"], "mrsignerseams", _mrsignerseams),
} if {
	configured
	tee.is_type("TDX")
	not tdx.module_signer_in(_mrsignerseams)
}

# METADATA
# title: The TDX module has special attributes
# description: Those of a module for production are zero.
# custom:
#   code: seam-attributes
#   claim: tee.tdx.seam_attributes
deny contains {"code": "seam-attributes", "msg": message.wants(["tee", "tdx", "seam_attributes"], "zero")} if {
	configured
	tee.is_type("TDX")
	not tdx.plain_module
}

# METADATA
# title: The platform is not current
# description: By Intel's collateral, or there was none.
# custom:
#   code: tcb-status
#   claim: tee.tdx.tcb_status
deny contains {
	"code": "tcb-status",
	"msg": message.among(["tee", "tdx", "tcb_status"], "tcb_statuses", _tcb_statuses),
} if {
	configured
	tee.is_type("TDX")
	not tdx.status_in(_tcb_statuses)
}

# METADATA
# title: An advisory is open
# description: A status other than UpToDate comes with what is not fixed; each ID has to be accepted by name.
# custom:
#   code: advisory
#   claim: tee.tdx.tcb.advisory_ids
deny contains {
	"code": "advisory",
	"msg": message.wants(["tee", "tdx", "tcb", "advisory_ids"], sprintf("none but accept_advisories: %v", [_advisories])),
} if {
	configured
	tee.is_type("TDX")
	tdx.status_in(_tcb_statuses)
	not tdx.advised_only_of(_advisories)
}

# METADATA
# title: Old collateral
# description: It was valid, but calls a platform up to date that lacks later updates.
# custom:
#   code: tcb-evaluation
#   claim: tee.tdx.tcb.tcb_evaluation_data_number
deny contains {
	"code": "tcb-evaluation",
	"msg": message.wants(
		["tee", "tdx", "tcb", "tcb_evaluation_data_number"],
		sprintf("%v or more", [config.get("min_tcb_evaluation_data_number", 0)]),
	),
} if {
	configured
	tee.is_type("TDX")
	tdx.status_in(_tcb_statuses)
	not evaluation_accepted
}

# METADATA
# title: The collateral is of the round configured or a later one
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.tcb.tcb_evaluation_data_number
evaluation_accepted if not config.has("min_tcb_evaluation_data_number")

evaluation_accepted if tdx.evaluated_from(data.config.min_tcb_evaluation_data_number)

# METADATA
# title: Stale collateral
# description: Collateral is valid for a month; a status may change sooner.
# custom:
#   code: collateral-age
#   claim: tee.tdx.tcb.issued
deny contains {
	"code": "collateral-age",
	"msg": message.wants(["tee", "tdx", "tcb", "issued"], sprintf("not more than %v seconds before %v", [
		config.get("max_collateral_age", 0),
		message.seen(["verified_at"]),
	])),
} if {
	configured
	tee.is_type("TDX")
	tdx.status_in(_tcb_statuses)
	not collateral_age_accepted
}

# METADATA
# title: The collateral is young enough
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.tcb.issued
collateral_age_accepted if not config.has("max_collateral_age")

collateral_age_accepted if tdx.collateral_within(data.config.max_collateral_age)

# METADATA
# title: The TDX module is below a floor
# description: Byte by byte.
# custom:
#   code: tee-tcb-svn
#   claim: tee.tdx.tee_tcb_svn
deny contains {
	"code": "tee-tcb-svn",
	"msg": message.wants(
		["tee", "tdx", "tee_tcb_svn"],
		sprintf("%v or more, byte by byte", [config.get("min_tee_tcb_svn", "")]),
	),
} if {
	configured
	tee.is_type("TDX")
	not tcb_svn_accepted
}

# METADATA
# title: The TDX module reaches the floor configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.tee_tcb_svn
tcb_svn_accepted if not config.has("min_tee_tcb_svn")

tcb_svn_accepted if tdx.tcb_svn_reaches(data.config.min_tee_tcb_svn)

# METADATA
# title: Another kind of platform
# description: The FMSPC is family, model, stepping and what the vendor made of it.
# custom:
#   code: fmspc
#   claim: tee.tdx.pck.fmspc
deny contains {"code": "fmspc", "msg": message.one_of(["tee", "tdx", "pck", "fmspc"], "fmspcs")} if {
	configured
	tee.is_type("TDX")
	not fmspc_accepted
}

# METADATA
# title: The kind of platform is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.pck.fmspc
fmspc_accepted if not config.has("fmspcs")

fmspc_accepted if input.tee.tdx.pck.fmspc in data.config.fmspcs

# METADATA
# title: Another platform
# description: Against quotes forged with a stolen key nothing helps but to know one's own platforms.
# custom:
#   code: platform-instance
#   claim: tee.tdx.pck.platform_instance_id
deny contains {
	"code": "platform-instance",
	"msg": message.one_of(["tee", "tdx", "pck", "platform_instance_id"], "platform_instance_ids"),
} if {
	configured
	tee.is_type("TDX")
	not platform_instance_accepted
}

# METADATA
# title: The platform is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.pck.platform_instance_id
platform_instance_accepted if not config.has("platform_instance_ids")

platform_instance_accepted if input.tee.tdx.pck.platform_instance_id in data.config.platform_instance_ids

# METADATA
# title: Another processor
# description: Against quotes forged with a stolen key nothing helps but to know one's own platforms.
# custom:
#   code: ppid
#   claim: tee.tdx.pck.ppid_sha256
deny contains {"code": "ppid", "msg": message.one_of(["tee", "tdx", "pck", "ppid_sha256"], "ppid_sha256s")} if {
	configured
	tee.is_type("TDX")
	not ppid_accepted
}

# METADATA
# title: The processor is one of those configured
# description: Where none is configured, any will do.
# custom:
#   claim: tee.tdx.pck.ppid_sha256
ppid_accepted if not config.has("ppid_sha256s")

ppid_accepted if input.tee.tdx.pck.ppid_sha256 in data.config.ppid_sha256s
