package result

import (
	"fmt"
	"os"
	"strings"
)

// Document puts the rows into a page, in place of what stands there between the
// lines <!-- measured: NAME --> and <!-- end of NAME -->, with the head before them.
func (t *Table) Document(path, name, head string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	begin, end := "<!-- measured: "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for %s: put the lines %q and %q where its table is to stand", path, name, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+head+"\n\n"+t.rowsText()+"\n"+end+after), 0o644) //nolint:gosec // a page for all to read
}

// rowsText is the table as Markdown, without padding.
func (t *Table) rowsText() string {
	var b strings.Builder
	b.WriteString("| what | here | beside | aim |\n|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.value, strings.TrimRight(r.peer, "; "), r.verdict)
	}
	return b.String()
}

// Join appends the rows of another table.
func (t *Table) Join(other *Table) { t.rows = append(t.rows, other.rows...) }
