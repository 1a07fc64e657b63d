# METADATA
# title: TDX trust domains and their platforms
# description: |
#   What a verified quote says, and what Intel's collateral says of the platform.
#   A genuine quote is not a good one: every rule here is about something that the
#   host or the domain's owner chose.
package attestctl.tdx

# METADATA
# title: The domain was built with one of these measurements
# description: SHA-384 in hex. It covers the firmware, not what the firmware started.
# custom:
#   claim: tee.tdx.mrtd
mrtd_in(digests) if input.tee.tdx.mrtd in digests

# METADATA
# title: A run-time register holds one of these values
# description: index is "0", "1", "2" or "3". Also false where the quote has no such register.
# custom:
#   claim: tee.tdx.rtmr
rtmr_in(index, values) if {
	is_array(input.tee.tdx.rtmr)
	input.tee.tdx.rtmr[register[index]] in values
}

# METADATA
# title: Run-time registers hold reference values
# description: |
#   pins is {index: [value, ...]}, as for rtmr_in. Every register that it names must hold one of its values.
# custom:
#   claim: tee.tdx.rtmr
rtmrs_match(pins) if {
	every index, values in pins {
		rtmr_in(index, values)
	}
}

# METADATA
# title: Where a run-time register stands in the list
# description: Configurations name registers by strings, as those of PCRs.
register := {"0": 0, "1": 1, "2": 2, "3": 3}

# METADATA
# title: The TDX module was signed by one of these
# description: Digests of the signer in hex; Intel's own modules have 96 zeros.
# custom:
#   claim: tee.tdx.mrsignerseam
module_signer_in(signers) if input.tee.tdx.mrsignerseam in signers

# METADATA
# title: The TDX module runs without special attributes
# description: All 64 bits are zero in a module for production.
# custom:
#   claim: tee.tdx.seam_attributes
plain_module if {
	is_string(input.tee.tdx.seam_attributes)
	trim(input.tee.tdx.seam_attributes, "0") == ""
	count(input.tee.tdx.seam_attributes) == 16
}

# METADATA
# title: The host may not debug the domain
# description: It can otherwise read all of its memory.
# custom:
#   claim: tee.tdx.attributes.debug
not_debugged if input.tee.tdx.attributes.debug == false

# METADATA
# title: The domain has these attributes
# description: |
#   demands is {attribute: true or false}; attributes that it does not name may be either.
# custom:
#   claim: tee.tdx.attributes
attributes_are(demands) if {
	every name, want in demands {
		attribute(name, want)
	}
}

# METADATA
# title: An attribute of the domain is as wanted
# description: Also false where the quote has no such attribute.
# custom:
#   claim: tee.tdx.attributes
attribute(name, want) if input.tee.tdx.attributes[name] == want

# METADATA
# title: The platform is as current as one of these
# description: Intel's words, as UpToDate. It is unchecked where no collateral was given.
# custom:
#   claim: tee.tdx.tcb_status
status_in(statuses) if input.tee.tdx.tcb_status in statuses

# METADATA
# title: The platform is current, or its advisories are accepted
# description: Every advisory, by its ID, is one of those accepted. An up-to-date platform has none that is open.
# custom:
#   claim: tee.tdx.tcb.advisory_ids
advised_only_of(accepted) if {
	is_array(input.tee.tdx.tcb.advisory_ids)
	_closed(accepted)
}

_closed(_) if input.tee.tdx.tcb_status == "UpToDate"

_closed(accepted) if {
	every advisory in input.tee.tdx.tcb.advisory_ids {
		advisory in accepted
	}
}

# METADATA
# title: The collateral counts this round of Intel's updates, or a later one
# description: Older collateral calls a platform up to date that lacks the updates since.
# custom:
#   claim: tee.tdx.tcb.tcb_evaluation_data_number
evaluated_from(number) if {
	is_number(input.tee.tdx.tcb.tcb_evaluation_data_number)
	input.tee.tdx.tcb.tcb_evaluation_data_number >= number
}

# METADATA
# title: The collateral was issued not longer ago than this
# description: In seconds before the evidence was verified.
# custom:
#   claim: tee.tdx.tcb.issued
collateral_within(seconds) if {
	is_number(input.verified_at)
	is_number(input.tee.tdx.tcb.issued)
	input.tee.tdx.tcb.issued <= input.verified_at
	input.verified_at - input.tee.tdx.tcb.issued <= seconds
}

# METADATA
# title: Every component of the TDX module's TCB is at its floor or above
# description: floor is 16 bytes in hex, each the least that the byte at its place may be.
# custom:
#   claim: tee.tdx.tee_tcb_svn
tcb_svn_reaches(floor) if {
	is_string(input.tee.tdx.tee_tcb_svn)
	count(input.tee.tdx.tee_tcb_svn) == 32
	trim(input.tee.tdx.tee_tcb_svn, "0123456789abcdef") == ""
	every at in numbers.range_step(0, 30, 2) {
		substring(input.tee.tdx.tee_tcb_svn, at, 2) >= substring(floor, at, 2)
	}
}
