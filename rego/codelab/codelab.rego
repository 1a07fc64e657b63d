# METADATA
# title: The codelab's rule
# description: |
#   The secret server of Google's Confidential VM codelab releases its secret to
#   whoever shows a token with hwmodel GCP_AMD_SEV and swname GCE. Those are the
#   two lines marked "codelab" below; they are true for every AMD SEV machine of
#   every customer of Compute Engine. Since no policy that ships here accepts
#   somebody else's machine, a third line, marked "ours", pins the project.
#
#   What this policy still does not ask, and gce-cvm does: which instance of the
#   project it is; whether Secure Boot was on, with whose keys; whether shim was
#   told to skip its checks; whether firmware was being debugged; what the AK
#   certificate's root is; and whether an --insecure option was in force. No
#   policy asks whether the nonce is fresh: the verifier has refused the evidence
#   otherwise. It is here for comparison and for the tutorial.
package attest

import data.attestctl.config
import data.attestctl.gce
import data.attestctl.message

_settings := {"project_ids": {
	"kind": "names",
	"required": true,
	"what": "the projects whose machines may have the secret",
}}

default allow := false

# METADATA
# title: The machine may have the secret
# description: Every condition is named; nothing is allowed for want of a reason to deny.
# custom:
#   claim: hwmodel, swname, submods.gce.project_id
allow if {
	well_formed
	on_amd_sev
	on_compute_engine
	gce.in_project(data.config.project_ids) # ours
}

# METADATA
# title: The codelab's first condition
# description: SEV-SNP and TDX are other values.
# custom:
#   claim: hwmodel
on_amd_sev if input.hwmodel == "GCP_AMD_SEV" # codelab

# METADATA
# title: The codelab's second condition
# description: Any machine of any customer, as long as it is not Confidential Space.
# custom:
#   claim: swname
on_compute_engine if input.swname == "GCE" # codelab

# METADATA
# title: The configuration is what the table asks for
# description: Nothing is missing, unknown or of another kind.
# custom:
#   claim: data.config
well_formed if config.well_formed(_settings)

# METADATA
# title: The policy is not configured
# description: Without a project there is nobody to release the secret to.
# custom:
#   code: config
#   claim: data.config
deny contains problem if {
	not well_formed
	some problem in config.problems(_settings)
}

# METADATA
# title: Not AMD SEV
# description: The codelab's first condition. SEV-SNP and TDX are other values, and are refused too.
# custom:
#   code: hardware
#   claim: hwmodel
deny contains {"code": "hardware", "msg": message.wants(["hwmodel"], "\"GCP_AMD_SEV\"")} if {
	well_formed
	not on_amd_sev
}

# METADATA
# title: Not a Compute Engine machine
# description: The codelab's second condition.
# custom:
#   code: software
#   claim: swname
deny contains {"code": "software", "msg": message.wants(["swname"], "\"GCE\"")} if {
	well_formed
	not on_compute_engine
}

# METADATA
# title: Not a machine of ours
# description: This line is not the codelab's. Without it the secret is anybody's who rents a machine.
# custom:
#   code: project
#   claim: submods.gce.project_id
deny contains {"code": "project", "msg": message.one_of(["submods", "gce", "project_id"], "project_ids")} if {
	well_formed
	not gce.in_project(data.config.project_ids)
}
