# METADATA
# title: The configuration of a policy
# description: |
#   A policy declares its settings in a table: name, kind, whether required, and
#   in words what to put there. Anything in data.config that the table does not
#   ask for is an error, because a misspelt setting is one that is not enforced.
package attestctl.config

import data.attestctl.gce

# METADATA
# title: The configuration
# description: data.config, or the empty object where there is none.
default document := {}

document := data.config if is_object(data.config)

# METADATA
# title: A setting is there
# description: Whatever its value; for the settings that a policy can do without.
has(name) if name in _names

_names contains name if some name, _ in document

# METADATA
# title: A setting, or what stands for it where there is none
# description: The value of the setting, whatever its type.
get(name, _) := document[name] if has(name)

get(name, fallback) := fallback if not has(name)

# METADATA
# title: The configuration is what the table asks for
# description: Every required setting is there, and every setting is known and of its kind.
well_formed(settings) if {
	some _ in settings
	every name, setting in settings {
		_acceptable(name, setting)
	}
	every name in _names {
		settings[name]
	}
}

# METADATA
# title: What is wrong with the configuration
# description: A set of denials that say what to write; it is empty if and only if well_formed.
problems(settings) := (_missing(settings) | _unknown(settings)) | _malformed(settings)

_acceptable(name, setting) if {
	setting.required == false
	not has(name)
}

_acceptable(name, setting) if is_kind(setting.kind, document[name])

_missing(settings) := {problem |
	some name, setting in settings
	not has(name)
	not setting.required == false
	problem := {
		"code": "config",
		"msg": sprintf("config: set %s to %s: %s", [name, _kinds[setting.kind], setting.what]),
	}
}

_unknown(settings) := {problem |
	some name in _names
	not settings[name]
	problem := {
		"code": "config",
		"msg": sprintf("config: this policy has no setting %q, it has %s", [name, concat(", ", sort(object.keys(settings)))]),
	}
}

_malformed(settings) := {problem |
	some name, setting in settings
	has(name)
	not is_kind(setting.kind, document[name])
	problem := {
		"code": "config",
		"msg": sprintf("config: %s must be %s: %s", [name, _kinds[setting.kind], setting.what]),
	}
}

_kinds := {
	"argument_lists": "a list of lists of strings",
	"bindings": "a list of some of nonce, ak, extra and report_data",
	"bits": "a list of numbers of 1 to 16 lower-case hex digits",
	"chip_ids": "a list of strings of 128 lower-case hex digits, not all zero",
	"count": "a whole number from 0 up",
	"digests": "a list of digests in lower-case hex",
	"flag": "true or false",
	"fmspcs": "a list of strings of 12 lower-case hex digits",
	"guest_policy": "an object of flags of the guest policy, such as smt, each true or false",
	"hex64s": "a list of strings of 16 lower-case hex digits",
	"ids": "a list of strings of 32 lower-case hex digits",
	"image_digests": "a list of \"sha256:\" and 64 lower-case hex digits",
	"measurements": "a list of SHA-384 digests in lower-case hex, not all zero",
	"names": "a list of names",
	"pcr_indexes": "a list of numbers from 10 to 23 without 14",
	"pcrs": "an object of banks (sha256, sha384, sha512), of PCRs (\"0\" to \"23\"), of lists of values in lower-case hex",
	"platform": "an object of flags of the platform, such as tsme, each true or false",
	"rtmrs": "an object of RTMRs (\"0\" to \"3\"), of lists of values of 96 lower-case hex digits",
	"seconds": "a whole number of seconds from 1 up",
	"sha256s": "a list of SHA-256 digests in lower-case hex",
	"sha384s": "a list of SHA-384 digests in lower-case hex",
	"signing_keys": "a list of VCEK, VLEK or both",
	"tcb_floors": "an object of products, of all their components (bootloader, tee, snp, microcode; Turin: fmc), 0 to 255",
	"tcb_statuses": "a list of Intel's words, such as UpToDate; not unchecked and not Revoked",
	"tcb_svn": "a string of 32 lower-case hex digits",
	"td_attributes": "an object of attributes, such as perfmon, each true or false",
	"technology": "one of GCP_SHIELDED_VM, GCP_AMD_SEV, GCP_AMD_SEV_ES, GCP_AMD_SEV_SNP and GCP_INTEL_TDX",
	"values_by_name": "an object of names, of lists of strings",
	"vmpls": "a list of numbers from 0 to 3",
}

# METADATA
# title: A value is of a kind
# description: Lists that a claim must be in are never empty; an unknown kind has no values.
is_kind("flag", value) if is_boolean(value)

is_kind("technology", value) if gce.technology_rank[value]

is_kind("names", value) if {
	_filled_array(value)
	every name in value {
		is_string(name)
		name != ""
	}
}

is_kind("sha256s", value) if {
	_filled_array(value)
	every digest in value {
		_is_hex(digest, 64)
	}
}

is_kind("digests", value) if {
	_filled_array(value)
	every digest in value {
		some length in _digest_length
		_is_hex(digest, length)
	}
}

is_kind("image_digests", value) if {
	_filled_array(value)
	every digest in value {
		is_string(digest)
		startswith(digest, "sha256:")
		_is_hex(substring(digest, 7, -1), 64)
	}
}

is_kind("pcr_indexes", value) if {
	is_array(value)
	every index in value {
		index in {10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23}
	}
}

is_kind("pcrs", value) if {
	_filled_object(value)
	every bank, registers in value {
		_filled_object(registers)
		every index, values in registers {
			index in _indexes
			_filled_array(values)
			every pcr in values {
				_is_hex(pcr, _digest_length[bank])
			}
		}
	}
}

is_kind("argument_lists", value) if {
	_filled_array(value)
	every arguments in value {
		is_array(arguments)
		every argument in arguments {
			is_string(argument)
		}
	}
}

is_kind("values_by_name", value) if {
	_filled_object(value)
	every _, values in value {
		_filled_array(values)
		every text in values {
			is_string(text)
		}
	}
}

_filled_array(value) if {
	is_array(value)
	some _ in value
}

_filled_object(value) if {
	is_object(value)
	some _ in value
}

# SHA-1 is no bank to pin: it decides nothing.
_digest_length := {"sha256": 64, "sha384": 96, "sha512": 128}

_indexes := {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
	"12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23",
}

_is_hex(text, length) if {
	is_string(text)
	count(text) == length
	trim(text, "0123456789abcdef") == ""
}
