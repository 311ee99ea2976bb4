package collect

import "strings"

// labelValue makes a label's value of a name that the system gave, which may be
// empty or no UTF-8: a label can be neither.
func labelValue(name string) string {
	if name = strings.ToValidUTF8(name, "\uFFFD"); name != "" {
		return name
	}
	return "unnamed"
}
