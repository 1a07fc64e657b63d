# METADATA
# title: Hardware reports
# description: |
#   What the signed report of SEV-SNP or TDX hardware was made for. The verifier
#   has checked its signature and certificates. Packages attestctl.snp and
#   attestctl.tdx read what is in it.
package attestctl.tee

# METADATA
# title: The report is that of a technology
# description: SEV_SNP or TDX. Absent where the evidence holds no verified report.
# custom:
#   claim: tee.type
is_type(technology) if input.tee.type == technology

# METADATA
# title: The report was made for all of these
# description: |
#   Of nonce, ak, extra and report_data. A report that is not bound to the ak beside it
#   may be that of another machine.
# custom:
#   claim: tee.bound_to
bound_to(purposes) if {
	is_array(input.tee.bound_to)
	count(purposes) > 0
	every purpose in purposes {
		purpose in input.tee.bound_to
	}
}
