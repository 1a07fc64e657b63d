# METADATA
# title: SEV-SNP guests and their platforms
# description: |
#   What a verified attestation report says (AMD 56860, ATTESTATION_REPORT). A
#   genuine report is not a good one: every rule here is about something that the
#   host or the guest's owner chose.
package attestctl.snp

# METADATA
# title: The guest was launched with one of these digests
# description: SHA-384 in hex. It covers the firmware and what the firmware's creator made it cover, not the disk.
# custom:
#   claim: tee.snp.measurement
measurement_in(digests) if input.tee.snp.measurement in digests

# METADATA
# title: The report was asked for at one of these privilege levels
# description: 0 is the highest; what runs at a lower one cannot speak for the guest.
# custom:
#   claim: tee.snp.vmpl
at_vmpl(levels) if {
	is_number(input.tee.snp.vmpl)
	input.tee.snp.vmpl in levels
}

# METADATA
# title: The host may not debug the guest
# description: It can otherwise decrypt all of its memory.
# custom:
#   claim: tee.snp.policy.debug
not_debugged if input.tee.snp.policy.debug == false

# METADATA
# title: The guest has no migration agent
# description: An agent has the guest's keys and can move it anywhere.
# custom:
#   claim: tee.snp.policy.migrate_ma
not_migratable if input.tee.snp.policy.migrate_ma == false

# METADATA
# title: The guest policy has these flags
# description: |
#   demands is {flag: true or false}; flags that it does not name may be either.
# custom:
#   claim: tee.snp.policy
policy_is(demands) if {
	every flag, want in demands {
		policy_flag(flag, want)
	}
}

# METADATA
# title: A flag of the guest policy is as wanted
# description: Also false where the report has no such flag.
# custom:
#   claim: tee.snp.policy
policy_flag(flag, want) if input.tee.snp.policy[flag] == want

# METADATA
# title: The processor line is one of these
# description: Milan, Genoa (with Bergamo and Siena) and Turin.
# custom:
#   claim: tee.snp.product
product_in(products) if input.tee.snp.product in products

# METADATA
# title: A TCB reaches its floors, component by component
# description: |
#   which is reported, current, committed, launch or cert; floors is {component:
#   least}, for the components that the product has. Without floors none is reached.
# custom:
#   claim: tee.snp.tcb
tcb_reaches(which, floors) if {
	count(floors) > 0
	every component, least in floors {
		component_reaches(which, component, least)
	}
}

# METADATA
# title: A component of a TCB is at its floor or above
# description: Also false where the product has no such component.
# custom:
#   claim: tee.snp.tcb
component_reaches(which, component, least) if {
	is_number(input.tee.snp.tcb[which][component])
	input.tee.snp.tcb[which][component] >= least
}

# METADATA
# title: The host cannot go back to older firmware
# description: The TCB in use is committed.
# custom:
#   claim: tee.snp.provisional
committed if input.tee.snp.provisional == false

# METADATA
# title: The report names the chip
# description: The chip's own key may be used, and the host does not hide chip_id.
# custom:
#   claim: tee.snp.chip_key_masked, tee.snp.chip_id
chip_shown if {
	input.tee.snp.chip_key_masked == false
	is_string(input.tee.snp.chip_id)
	input.tee.snp.chip_id != ""
}

# METADATA
# title: The platform is set up like this
# description: |
#   demands is {flag: true or false}; flags that it does not name may be either.
# custom:
#   claim: tee.snp.platform
platform_is(demands) if {
	every flag, want in demands {
		platform_flag(flag, want)
	}
}

# METADATA
# title: A flag of the platform is as wanted
# description: Also false where the report has no such flag.
# custom:
#   claim: tee.snp.platform
platform_flag(flag, want) if input.tee.snp.platform[flag] == want

# METADATA
# title: The platform says nothing that has no name, but for this
# description: |
#   accepted lists values of all such bits together, in hex. The claim is absent
#   where there are none.
# custom:
#   claim: tee.snp.platform.unknown_bits
platform_known_but_for(accepted) if {
	is_object(input.tee.snp.platform)
	is_string(_unknown_bits)
	trim_left(_unknown_bits, "0") in ({trim_left(bits, "0") | some bits in accepted} | {""})
}

default _unknown_bits := ""

_unknown_bits := input.tee.snp.platform.unknown_bits

# METADATA
# title: The certificates were looked up in AMD's list
# description: A current list was given to the verifier, and none of them is on it.
# custom:
#   claim: tee.snp.revocation
revocation_checked if input.tee.snp.revocation == "checked"

# METADATA
# title: Nobody can forge reports of this product, but by these breaks
# description: |
#   Breaks of a product's keys that no TCB undoes, such as milan-vcek-seed. The
#   claim is absent where none is known.
# custom:
#   claim: tee.snp.known_breaks
unbroken_but_for(accepted) if {
	is_object(input.tee.snp)
	is_array(_known_breaks)
	every broken in _known_breaks {
		broken in accepted
	}
}

default _known_breaks := []

_known_breaks := input.tee.snp.known_breaks
