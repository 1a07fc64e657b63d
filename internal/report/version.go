package report

import (
	"runtime"
	"runtime/debug"
)

// SchemaVersion is the schema of a [Version].
const SchemaVersion = "attestctl.version/v1"

// Version says what this program was built from.
type Version struct {
	Schema   string   `json:"schema"`
	Version  string   `json:"version"`
	Revision string   `json:"revision,omitempty"`
	Modified bool     `json:"modified,omitempty"` // the working tree had changes
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Modules  []Module `json:"modules"`
}

// Module is a module that is linked into the program.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

// NewVersion reads what the Go linker recorded; info may be nil.
func NewVersion(info *debug.BuildInfo) *Version {
	v := &Version{
		Schema: SchemaVersion, Version: "(unknown)", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: []Module{},
	}
	if info == nil {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		v.Modules = append(v.Modules, Module{m.Path, m.Version, m.Sum})
	}
	return v
}

func (v *Version) text(p *page) {
	p.linef("attestctl %s, %s, %s", v.Version, v.Go, v.Platform)
	if v.Revision != "" {
		note := ""
		if v.Modified {
			note = ", with changes"
		}
		p.linef("revision %s%s", v.Revision, note)
	}
	for _, m := range v.Modules {
		p.linef("  %s %s", m.Path, m.Version)
	}
}
