package account_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/vitals-rpc/vitals/server/account"
)

var form = regexp.MustCompile(`^vitals_(user|agent|enrol|session)_[a-z2-7]{59}$`)

func TestSecrets(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []account.Kind{account.UserToken, account.AgentToken, account.EnrolmentToken, account.SessionToken} {
		s := account.NewSecret(kind)
		text := s.Reveal()
		if !form.MatchString(text) || seen[text] {
			t.Errorf("%s", text)
		}
		seen[text] = true
		back, err := account.ParseSecret(text)
		if err != nil || back != s || back.Kind() != kind || back.Hash() != s.Hash() {
			t.Errorf("%s is read as %s, %v", kind, back.Reveal(), err)
		}
		for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s, s)} {
			if strings.Contains(shown, text[13:]) {
				t.Errorf("it shows itself: %s", shown)
			}
		}
	}
}

// A single wrong character anywhere is noticed.
func TestMistypedSecrets(t *testing.T) {
	text := account.NewSecret(account.UserToken).Reveal()
	for i := range text {
		wrong := []byte(text)
		if wrong[i]++; wrong[i] == 'z'+1 {
			wrong[i] = 'a'
		}
		if _, err := account.ParseSecret(string(wrong)); err == nil {
			t.Errorf("%s is taken for %s", wrong, text)
		}
	}
}

// FuzzParseSecret gives any text to the parser. What it says of a wrong one has
// nothing of that text, which may be a secret: it is one of two sentences.
func FuzzParseSecret(f *testing.F) {
	sentences := map[string]bool{}
	for _, wrong := range []string{"", "vitals_user_"} {
		_, err := account.ParseSecret(wrong)
		sentences[err.Error()] = true
	}
	for _, seed := range []string{"", "vitals_", "no token, vitals_", "vitals_user_", "vitals__", "vitals_user_" + strings.Repeat("a", 59), account.NewSecret(account.AgentToken).Reveal(), "vitals_root_" + strings.Repeat("2", 59), "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := account.ParseSecret(text)
		switch {
		case err == nil && (s.Reveal() != text || !form.MatchString(text)):
			t.Errorf("%q is read as %q", text, s.Reveal())
		case err != nil && !sentences[err.Error()]:
			t.Errorf("the error may repeat a secret: %v", err)
		}
	})
}

func TestRoles(t *testing.T) {
	f := func(role account.Role, may ...account.Role) {
		t.Helper()
		for _, asked := range []account.Role{account.Anyone, account.AnyRole, account.SignedIn, account.Enrolment, account.Viewer, account.Agent, account.Operator, account.Admin} {
			want := asked == account.Anyone || role == asked
			for _, m := range may {
				want = want || m == asked
			}
			if role.Includes(asked) != want {
				t.Errorf("%q includes %q: %t", role, asked, !want)
			}
		}
	}
	f(account.Anyone)
	f(account.Viewer, account.AnyRole, account.SignedIn)
	f(account.Agent, account.AnyRole, account.SignedIn)
	f(account.Enrolment, account.AnyRole, account.SignedIn)
	f(account.Operator, account.AnyRole, account.SignedIn, account.Viewer, account.Agent)
	f(account.Admin, account.AnyRole, account.SignedIn, account.Enrolment, account.Viewer, account.Agent, account.Operator)
	for _, name := range []string{"", "root", "Admin", "enrolment", "signed-in", "any"} {
		if r, err := account.ParseRole(name); err == nil {
			t.Errorf("%q is read as %q", name, r)
		}
	}
}
