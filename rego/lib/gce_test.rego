package attestctl.gce_test

import data.attestctl.gce

test_technologies_from[floor] if {
	some floor, want in {
		"GCP_SHIELDED_VM": {
			"GCP_SHIELDED_VM", "GCP_AMD_SEV", "GCP_AMD_SEV_ES",
			"GCP_AMD_SEV_SNP", "GCP_INTEL_TDX",
		},
		"GCP_AMD_SEV": {"GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"},
		"GCP_AMD_SEV_ES": {"GCP_AMD_SEV_ES", "GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"},
		"GCP_AMD_SEV_SNP": {"GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"},
		"GCP_INTEL_TDX": {"GCP_AMD_SEV_SNP", "GCP_INTEL_TDX"},
	}
	gce.technologies_from(floor) == want
}

test_no_floor_no_technology[note] if {
	some note, floor in {"absent": null, "unknown": "GCP_NONE", "number": 0, "list": ["GCP_AMD_SEV"]}
	gce.technologies_from(floor) == set()
}

# The floor is a set of names, so that a claim of another type is none of them.
test_hardware_below_a_floor[note] if {
	some note, hwmodel in {
		"weaker": "GCP_SHIELDED_VM",
		"unknown": "GCP_AMD_SEV_X",
		"number": 3,
		"list": ["GCP_INTEL_TDX"],
		"null": null,
	}
	not gce.on_hardware(gce.technologies_from("GCP_AMD_SEV")) with input as {"hwmodel": hwmodel}
}

test_hardware_at_a_floor[hwmodel] if {
	some hwmodel in ["GCP_AMD_SEV", "GCP_AMD_SEV_ES", "GCP_INTEL_TDX"]
	gce.on_hardware(gce.technologies_from("GCP_AMD_SEV")) with input as {"hwmodel": hwmodel}
}
