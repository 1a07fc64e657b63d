# METADATA
# title: Compute Engine instances
# description: |
#   Who the machine is, from the AK certificate that Google issued to it. The
#   verifier has checked the certificate's chain; every customer's machine has one
#   that is as genuine, which is why a policy has to name its own.
package attestctl.gce

# METADATA
# title: Google vouches for the instance
# description: |
#   The key is trusted by a certificate, not pinned, and the certificate is that
#   of a production instance in Google's hierarchy.
# custom:
#   claim: tpm.ak.trust
certified if {
	input.tpm.ak.trust == "certificate"
	input.tpm.ak.certificate.production == true
	input.oemid == 11129
}

# METADATA
# title: The certificate chains to one of these roots
# description: roots are SHA-256 digests of root certificates, in hex.
# custom:
#   claim: tpm.ak.certificate.root_sha256
rooted_in(roots) if input.tpm.ak.certificate.root_sha256 in roots

# METADATA
# title: The instance is in one of these projects
# description: Project IDs, which are never given out twice.
# custom:
#   claim: submods.gce.project_id
in_project(ids) if input.submods.gce.project_id in ids

# METADATA
# title: The instance is in one of these zones
# description: Full zone names such as europe-west4-b.
# custom:
#   claim: submods.gce.zone
in_zone(zones) if input.submods.gce.zone in zones

# METADATA
# title: The instance has one of these names
# description: A name can be given to another instance once the first is deleted; an ID cannot.
# custom:
#   claim: submods.gce.instance_name
has_name(names) if input.submods.gce.instance_name in names

# METADATA
# title: The instance has one of these IDs
# description: Decimal strings, since the numbers exceed 2^53.
# custom:
#   claim: submods.gce.instance_id
has_id(ids) if input.submods.gce.instance_id in ids

# METADATA
# title: The hardware is one of these technologies
# description: |
#   hwmodel is absent where the firmware measured SEV-SNP or TDX and no hardware
#   report proves it, so that evidence without the report never passes.
# custom:
#   claim: hwmodel
on_hardware(models) if input.hwmodel in models

# METADATA
# title: How strong a technology is
# description: |
#   The values of hwmodel in the order in which they protect a machine from its
#   host: not at all, its memory, its registers too, the integrity of both too.
#   SEV-SNP and TDX are each other's peers.
technology_rank := {
	"GCP_SHIELDED_VM": 0,
	"GCP_AMD_SEV": 1,
	"GCP_AMD_SEV_ES": 2,
	"GCP_AMD_SEV_SNP": 3,
	"GCP_INTEL_TDX": 3,
}

# METADATA
# title: The technologies at a floor and above it
# description: For on_hardware. A floor that is no technology has none above it.
technologies_from(floor) := {model |
	some model, rank in technology_rank
	rank >= technology_rank[floor]
}
