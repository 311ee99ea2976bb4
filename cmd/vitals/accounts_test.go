package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	authv1 "github.com/vitals-rpc/vitals/gen/vitals/auth/v1"
)

// The way of an admin: made on the server's machine, who then signs in from
// elsewhere and keeps users and tokens.
func TestAccountsCommands(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	_, pages := serving(t, "--hostname", "server01", "--data-dir", dir, "--listen", "127.0.0.1:0")
	server := pages[0]
	v := func(args ...string) result {
		t.Helper()
		return vitalsIn(t, []string{"HOME=" + home, "VITALS_SERVER=" + server}, args...)
	}
	v("whoami").want(t, 0, "anonymous", "")
	made := vitals(t, "user", "add", "alice", "--role", "admin", "--new-token", "--data-dir", dir)
	made.want(t, 0, "vitals_user_", "alice is here now")
	token := strings.TrimSpace(made.stdout)
	eventually(t, "the server knows", func() bool { return v("hosts").code == 64+16 })
	v("hosts").want(t, 64+16, "", "vitals login")

	// Each way to give a token.
	file := filepath.Join(home, "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v("hosts", "--token-file", file).want(t, 0, "server01", "")
	v("hosts", "--token", token).want(t, 0, "server01", "")
	vitalsIn(t, []string{"VITALS_TOKEN=" + token}, "hosts", "--server", server).want(t, 0, "server01", "")
	v("hosts", "--token", token[:30]).want(t, 64+16, "", "checksum")
	v("hosts", "--token-file", file+"x").want(t, 1, "", "token file")
	v("login", "--token-file", file).want(t, 0, "", "as alice, role admin")
	kept := filepath.Join(home, ".config", "vitals", "credentials.json")
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login: %v, %v", info, err)
	}
	v("whoami").want(t, 0, "alice", "")

	v("user", "add", "bob", "--email", "bob@example.com").want(t, 0, "", "role viewer")
	v("user", "add", "bob").want(t, 64+6, "", "already")
	v("user", "add", "eve", "--role", "root").want(t, 2, "", "none of viewer")
	v("user", "role", "bob", "operator").want(t, 0, "", "operator now")
	v("user", "list").want(t, 0, "bob@example.com", "")
	bobs := v("token", "create", "ci", "--user", "bob", "--role", "viewer", "--expires", "90d")
	bobs.want(t, 0, "vitals_user_", "only time")
	v("token", "create", "x", "--enrol", "--host", "web-1").want(t, 2, "", "do not go together")
	v("token", "list").want(t, 0, "ci", "")
	v("token", "rotate", "2").want(t, 0, "vitals_user_", "")
	v("hosts", "--token", strings.TrimSpace(bobs.stdout)).want(t, 64+16, "", "revoked")
	v("token", "revoke", "2").want(t, 0, "", "token 2 is revoked")
	v("token", "revoke", "2").want(t, 64+5, "", "no such token")
	v("token", "revoke", "two").want(t, 2, "", "no token's number")
	v("user", "delete", "bob").want(t, 0, "", "gone")
	v("user", "delete", "alice").want(t, 64+9, "", "last admin")
	v("audit").want(t, 0, "token.revoke", "")
	v("doctor", server, "--hold", "0").want(t, 0, "", "")
	v("logout").want(t, 0, "", "Signed out")
	v("whoami").want(t, 0, "anonymous", "")
	v("logout").want(t, 1, "", "no login")
}

func TestServerKey(t *testing.T) {
	f := func(server, want string) {
		t.Helper()
		if got := serverKey([]string{server, "other:1"}); got != want {
			t.Errorf("%s: %q, want %q", server, got, want)
		}
	}
	f("LocalHost:50051", "http://localhost:50051")
	f("HTTPS://Vitals.Example.com/", "https://vitals.example.com")
	f("https://vitals.example.com/A/", "https://vitals.example.com/A")
	f("dns:///Hub:50051/A", "dns:///hub:50051/A")
	f("dns+https:///Hub:50051", "dns+https:///hub:50051")
	f("srv:///_vitals._tcp.Example.com", "srv:///_vitals._tcp.example.com")
	f("a b", "a b")
	if runtime.GOOS != "windows" {
		f("unix:/run/A.sock", "unix:/run/A.sock")
		f("unix:///run//a.sock", "unix:/run/a.sock")
	}
}

func TestInClear(t *testing.T) {
	f := func(server string, want bool) {
		t.Helper()
		if got := inClear([]string{"https://first", server}); got != want {
			t.Errorf("%s: %t", server, got)
		}
	}
	f("vitals.example.com:50051", true)
	f("dns:///hub:50051", true)
	f("srv:///_vitals._tcp.example.com", true)
	f("http://[2001:db8::1]:50051", true)
	f("https://vitals.example.com", false)
	f("dns+https:///hub:50051", false)
	f("srv+https:///_vitals._tcp.example.com", false)
	f("LOCALHOST:50051", false)
	f("127.0.0.2:50051", false)
	f("http://[::1]:50051", false)
	f("unix:/run/vitals.sock", false)
}

// Servers on two unix sockets, whose names differ in a capital, are two servers, and
// nobody listens in between.
func TestLoginByUnixSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems may take the two for one file")
	}
	home, dir := t.TempDir(), t.TempDir()
	login := func(path, user string) string {
		data := t.TempDir()
		made := vitals(t, "user", "add", user, "--role", "admin", "--new-token", "--data-dir", data)
		serving(t, "--hostname", "server01", "--data-dir", data, "--listen", "unix:"+path, "--listen", "127.0.0.1:0")
		file := filepath.Join(home, user)
		if err := os.WriteFile(file, []byte(made.stdout), 0o600); err != nil {
			t.Fatal(err)
		}
		in := vitalsIn(t, []string{"HOME=" + home}, "login", "--server", "unix:"+path, "--token-file", file)
		in.want(t, 0, "", "as "+user)
		if strings.Contains(in.stderr, "can read") {
			t.Errorf("it warns: %s", in.stderr)
		}
		return "unix:" + path
	}
	a, b := login(filepath.Join(dir, "A.sock"), "alice"), login(filepath.Join(dir, "a.sock"), "bob")
	vitalsIn(t, []string{"HOME=" + home}, "whoami", "--server", a).want(t, 0, "alice", "")
	vitalsIn(t, []string{"HOME=" + home}, "whoami", "--server", b).want(t, 0, "bob", "")
}

func TestFirstAdmin(t *testing.T) {
	dir := t.TempDir()
	p := start(t, true, "serve", "--hostname", "server01", "--data-dir", dir, "--listen", "127.0.0.1:0", "--first-admin", "root")
	token := p.next("vitals_user_")
	vitals(t, "user", "list", "--data-dir", dir).want(t, 0, "root", "in "+dir)
	if strings.Contains(p.text(), token+token) {
		t.Error("it is printed twice")
	}
}

func TestRoleNames(t *testing.T) {
	for _, name := range roleNames() {
		if role, err := parseRole(name); err != nil || role == authv1.Role_ROLE_UNSPECIFIED || roleName(role) != name {
			t.Errorf("%s: %v, %v", name, role, err)
		}
	}
	f := func(role authv1.Role, want string) {
		t.Helper()
		if got := roleName(role); got != want {
			t.Errorf("%v: %q, want %q", role, got, want)
		}
	}
	f(authv1.Role_ROLE_ANYONE, "anyone")
	f(authv1.Role_ROLE_SIGNED_IN, "signed-in")
	f(99, "99")
}

// The host's id is written as its token is, which is bound to it: whole, and nothing
// of an earlier try is left.
func TestHostID(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"host-id", "host-id.tmp"} { // of a crash or a full disk
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id, _, err := hostID(dir, "")
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	if again, _, err := hostID(dir, ""); again != id || err != nil {
		t.Errorf("%q, then %q, %v", id, again, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}
