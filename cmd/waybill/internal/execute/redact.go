// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// The limits of the arguments on a span.
const (
	maxArgs = 64
	maxArg  = 256 // Bytes.
)

// hidden stands for a secret.
const hidden = "***"

// secretName is part of the name of a flag, a variable, a header or a parameter whose value is a
// secret.
const secretName = `(?:pass|pwd|secret|token|credential|auth|api[-_.]?key|access[-_.]?key|private|signature|session|cookie|dsn|connection[-_.]?string|sig\b)`

// secrets are the patterns of secrets, and what replaces them. They are compiled when
// the first argument is redacted.
var secrets = sync.OnceValue(func() []replacement {
	return []replacement{
		{regexp.MustCompile(`(?i)\b(bearer|basic|digest)\s+[^\s"']+`), "${1} " + hidden},
		{regexp.MustCompile(`(?i)([\w.-]*` + secretName + `[\w.-]*["']?\s*[=:]\s*)("[^"]*"?|'[^']*'?|[^\s&;,"']+)`), "${1}" + hidden},
		{regexp.MustCompile(`(?i)(--?[\w.-]*` + secretName + `[\w.-]*\s+)("[^"]*"?|'[^']*'?|[^\s-][^\s"']*)`), "${1}" + hidden},
		{regexp.MustCompile(`([a-zA-Z][\w+.-]*://)[^\s/@]*@`), "${1}" + hidden + "@"},
		{regexp.MustCompile(`\b(?:eyJ[\w-]{8,}\.[\w.-]+|AKIA[0-9A-Z]{12,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{8,}|sk-[\w-]{16,}|dapi[0-9a-f]{24,})`), hidden},
		{regexp.MustCompile(`(?s)-----BEGIN .*`), hidden},
	}
})

type replacement struct {
	pattern *regexp.Regexp
	with    string
}

// secretFlag is a flag whose value is the next argument.
var secretFlag = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^--?[\w.-]*` + secretName + `[\w.-]*$`)
})

// redact returns a copy of a command and its arguments without what looks like a
// secret, and no more of it than a span should hold.
func redact(argv []string) []string {
	redacted := make([]string, 0, min(len(argv), maxArgs))
	isSecret := false
	for i, arg := range argv[:min(len(argv), maxArgs)] {
		switch {
		case isSecret && !strings.HasPrefix(arg, "--"):
			redacted, isSecret = append(redacted, hidden), false
			continue
		case i > 0 && isShortPassword(argv[0], arg):
			arg = arg[:len("-p")] + hidden
		default:
			for _, s := range secrets() {
				arg = s.pattern.ReplaceAllString(arg, s.with)
			}
		}
		isSecret = i > 0 && secretFlag().MatchString(arg)
		if len(arg) > maxArg {
			arg = arg[:maxArg] + "…"
		}
		redacted = append(redacted, strings.ToValidUTF8(arg, "�"))
	}
	return redacted
}

// isShortPassword reports whether arg is the flag -pPASSWORD of the clients of MySQL.
func isShortPassword(command, arg string) bool {
	name := filepath.Base(command)
	return (strings.HasPrefix(name, "mysql") || strings.HasPrefix(name, "mariadb")) && len(arg) > len("-p") && strings.HasPrefix(arg, "-p")
}
