package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	monitoringv1 "github.com/vitals-rpc/vitals/gen/monitoring/v1"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/servertest"
)

func TestGet(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	for _, protocol := range []string{"connect", "grpc", "grpcweb"} {
		flags := []string{"--server", srv.URL, "--protocol", protocol}
		get := func(args ...string) result { return vitals(t, append(append([]string{"get"}, args...), flags...)...) }

		got := get("memory")
		got.want(t, 0, "", "")
		table := regexp.MustCompile(`^HOST +METRIC +VALUE +UNIT +TIME\nserver01 +memory +3\.25 +GB +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$`)
		if !table.MatchString(got.stdout) || got.stderr != "" {
			t.Errorf("%s: table %q, stderr %q", protocol, got.stdout, got.stderr)
		}
		got = get("-o", "json", "--host", "server01")
		var sample struct {
			Hostname, MetricType, Unit, Timestamp string
			Value                                 float64
		}
		if err := json.Unmarshal([]byte(got.stdout), &sample); err != nil || sample.MetricType != "cpu" || sample.Value != 12.5 || strings.Count(got.stdout, "\n") != 1 {
			t.Errorf("%s: %q, %v", protocol, got.stdout, err)
		}
		get("cpus").want(t, 69, "", "nearest: cpu")
		get("--host", "server02").want(t, 69, "", "nearest: server01")
	}
}

func TestHealth(t *testing.T) {
	srv := servertest.NewServer(t, server.Options{})
	ask := func(args ...string) result {
		return vitals(t, append([]string{"health", "--server", srv.URL}, args...)...)
	}
	ask().want(t, 1, "collector: no sample", "")
	ask("collector").want(t, 1, "Service collector is not running", "")
	ask("api").want(t, 0, "Service api is running", "")
	srv.Seed()
	ask().want(t, 0, "HEALTHY", "")
	ask("-o", "json").want(t, 0, `{"healthy":true,"message":"Service vitals is running"}`, "")
	ask("nothing").want(t, 69, "", "known are: api")
}

func TestExitCodes(t *testing.T) {
	vitals(t, "get", "--nope").want(t, 2, "", "unknown flag: --nope")
	vitals(t, "get", "--nope").want(t, 2, "", "vitals get --help")
	vitals(t, "get", "cpu", "memory").want(t, 2, "", "at most 1 arg")
	vitals(t, "gte").want(t, 2, "", "gte")
	vitals(t, "get", "--protocol", "soap").want(t, 2, "", `"soap" is none of connect, grpc and grpcweb`)
	vitals(t, "get", "-o", "xml").want(t, 2, "", `"xml" is neither table nor json`)
	vitals(t, "get", "--server", "ftp://x").want(t, 2, "", "neither a URL")
	vitals(t, "get", "--timeout", "soon").want(t, 2, "", "soon")
	vitals(t, "watch", "--count", "x").want(t, 2, "", "--count")
	vitals(t, "serve", "--log-level", "loud").want(t, 2, "", "loud")
	vitals(t, "serve", "--allow-origin", "*").want(t, 2, "", "scheme://host[:port]")
	vitals(t, "get", "--server", "localhost:1").want(t, 78, "", "is 'vitals serve' running there?")
	vitals(t, "watch", "--server", "localhost:1").want(t, 78, "", "is 'vitals serve' running there?")
	vitals(t, "health", "--server", "localhost:1").want(t, 78, "", "--server")
	vitals(t, "get", "--server", "192.0.2.1:9", "--timeout", "150ms").want(t, 68, "", "deadline")
	vitals(t, "version").want(t, 0, "vitals ", "")
	vitals(t).want(t, 0, "Available Commands", "")
}

func TestReport(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	report := func(args ...string) result {
		t.Helper()
		return vitals(t, append([]string{"report", "--server", srv.URL}, args...)...)
	}
	newest := func(name, want string) {
		t.Helper()
		vitals(t, "get", name, "--server", srv.URL, "-o", "json").want(t, 0, `"value":`+want+`,`, "")
	}
	report("jobs", "7").want(t, 0, "", "")
	newest("jobs", "7")
	// Numbers below zero are no flags, wherever they stand.
	report("outside", "-5").want(t, 0, "", "")
	newest("outside", "-5")
	report("outside", "-.25", "--unit", "celsius", "-o", "json").want(t, 0, `"stored":"1"`, "")
	newest("outside", "-0.25")
	report("-o", "json", "--unit", "celsius", "outside", "-1e3").want(t, 0, `"stored":"1"`, "")
	newest("outside", "-1000")
	report("--unit=celsius", "outside", "--", "-8").want(t, 0, "", "")
	newest("outside", "-8")
	report("outside", "-5", "-6").want(t, 2, "", "accepts 2 arg(s), received 3")
	report("outside", "-5x").want(t, 2, "", "unknown shorthand flag")
	report("outside", "-5", "--unti", "celsius").want(t, 2, "", "unknown flag: --unti")
	report("outside", "-Inf").want(t, 2, "", "")

	report("jobs", "1", "--label", "queue=mail", "--label", "queue=news").want(t, 2, "", `label "queue" is given twice`)
	report("jobs", "1", "--label", "__queue=mail").want(t, 2, "", "is reserved")
	report("__name__", "1").want(t, 2, "", "is reserved")
	report("a-b", "1").want(t, 2, "", `try "a_b"`)
	report("jobs", "1", "--host", " ").want(t, 2, "", "begins or ends with a space")
	vitals(t, "agent", "--tag", "env=prod", "--tag", "env=test").want(t, 2, "", `tag "env" is given twice`)
	vitals(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--tag", "env=prod", "--tag", "env=prod"}, serveFlags(t)...)...).want(t, 2, "", `tag "env" is given twice`)
	vitals(t, "report", "--help").want(t, 0, "-4.5", "")
}

// A host that has opened a stream and sent nothing was never seen.
func TestHostWithoutSamples(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	stream, err := srv.Client(servertest.Connection{}).Ingest().Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&monitoringv1.ReportRequest{Reporter: &monitoringv1.Reporter{Hostname: "web-1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndReceive(); err != nil {
		t.Fatal(err)
	}
	hosts := vitals(t, "hosts", "web-", "--server", srv.URL)
	hosts.want(t, 0, "never", "")
	if strings.Contains(hosts.stdout, "ago") {
		t.Errorf("it was seen: %s", hosts.stdout)
	}
	vitals(t, "hosts", "web-", "-o", "json", "--server", srv.URL).want(t, 0, `"lastSeen":null`, "")
}

// What is compressed is the caller's to say, for the near end of a tunnel looks like
// a server on this machine.
func TestGzip(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	target, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var request, answers string
	tunnel := httputil.NewSingleHostReverseProxy(target)
	near := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		request, answers = r.Header.Get("Content-Encoding"), r.Header.Get("Accept-Encoding")
		mu.Unlock()
		tunnel.ServeHTTP(w, r)
	}))
	defer near.Close()
	f := func(wantRequest, wantAnswers string, args ...string) {
		t.Helper()
		vitals(t, append([]string{"get", "--server", near.URL}, args...)...).want(t, 0, "server01", "")
		mu.Lock()
		defer mu.Unlock()
		if request != wantRequest || answers != wantAnswers {
			t.Errorf("%v: the request is packed as %q and the answer may be as %q; want %q and %q", args, request, answers, wantRequest, wantAnswers)
		}
	}
	f("", "identity")
	f("gzip", "gzip", "--gzip", "always")
	f("", "identity", "--gzip", "never")
	vitals(t, "get", "--gzip", "sometimes").want(t, 2, "", "none of auto, always and never")
}

// Several servers, given in each of the ways, of which the first is away.
func TestSeveralServers(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{Hostname: "second"})
	file := filepath.Join(t.TempDir(), "vitals.yaml")
	if err := os.WriteFile(file, []byte("server:\n- localhost:1\n- "+srv.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const found = `"hostname":"second"`
	vitals(t, "get", "-o", "json", "--server", "localhost:1", "--server", srv.URL).want(t, 0, found, "")
	vitals(t, "get", "-o", "json", "--server", "localhost:1,"+srv.URL, "--balance", "round-robin").want(t, 0, found, "")
	vitalsIn(t, []string{"VITALS_SERVER=localhost:1," + srv.URL}, "get", "-o", "json").want(t, 0, found, "")
	vitals(t, "get", "-o", "json", "--config", file).want(t, 0, found, "")
	vitals(t, "watch", "disk", "--count", "1", "-o", "json", "--server", "localhost:1,"+srv.URL).want(t, 0, found, "")
	vitals(t, "report", "jobs", "1", "--server", "localhost:1,"+srv.URL).want(t, 0, "", "")
	_, port, _ := net.SplitHostPort(srv.Addr)
	vitals(t, "get", "-o", "json", "--server", "dns:///localhost:"+port).want(t, 0, found, "")

	vitals(t, "get", "--server", "localhost:1,localhost:2").want(t, 78, "", "No answer from localhost:1, localhost:2")
	vitals(t, "get", "--balance", "best").want(t, 2, "", "none of first, round-robin, random, least-loaded")
	vitals(t, "get", "--server", "dns:///name").want(t, 2, "", "write dns:///")
	vitals(t, "__complete", "get", "--balance", "").want(t, 0, "least-loaded", "")
}

// One setting, given in all three places at once.
func TestSettingsPrecedence(t *testing.T) {
	byFlag := servertest.NewSeeded(t, server.Options{Hostname: "by-flag"})
	byEnv := servertest.NewSeeded(t, server.Options{Hostname: "by-variable"})
	byFile := servertest.NewSeeded(t, server.Options{Hostname: "by-file"})
	file := filepath.Join(t.TempDir(), "vitals.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("server: " + byFile.URL + "\noutput: json\nlisten: [localhost:1, localhost:2]\n")
	variable := []string{"VITALS_SERVER=" + byEnv.URL}

	vitalsIn(t, variable, "get", "--config", file, "--server", byFlag.URL).want(t, 0, `"hostname":"by-flag"`, "")
	vitalsIn(t, variable, "get", "--config", file).want(t, 0, `"hostname":"by-variable"`, "")
	vitalsIn(t, nil, "get", "--config", file).want(t, 0, `"hostname":"by-file"`, "")
	vitalsIn(t, []string{"VITALS_CONFIG=" + file}, "get").want(t, 0, `"hostname":"by-file"`, "")
	vitalsIn(t, []string{"VITALS_CONFIG=" + file, "VITALS_OUTPUT=table"}, "get").want(t, 0, "HOST ", "")

	vitalsIn(t, []string{"VITALS_TIMEOUT=soon"}, "get").want(t, 2, "", "environment variable VITALS_TIMEOUT")
	write("timeout: soon\n")
	vitals(t, "get", "--config", file).want(t, 2, "", "configuration file, timeout")
	write("sevrer: x\n")
	vitals(t, "get", "--config", file).want(t, 2, "", `"sevrer" is no flag`)
	write("just text")
	vitals(t, "get", "--config", file).want(t, 2, "", "no YAML map")
	vitals(t, "get", "--config", file+".missing").want(t, 2, "", "configuration file")
}

func TestWatchInPipe(t *testing.T) {
	srv := servertest.NewSeeded(t, server.Options{})
	srv.Collect()
	begin := time.Now()
	got := vitals(t, "watch", "memory", "--count", "3", "--server", srv.URL)
	got.want(t, 0, "", "")
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\tserver01\tmemory\t\d+\.\d\d\tGB$`)
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	if len(lines) != 3 || !line.MatchString(lines[0]) || !line.MatchString(lines[2]) || strings.ContainsAny(got.stdout, "\r\x1b▁█") {
		t.Errorf("%q", got.stdout)
	}
	if took := time.Since(begin); took < time.Second {
		t.Errorf("three samples of one a second took %v", took)
	}
	vitals(t, "watch", "--count", "1", "-o", "json", "--server", srv.URL).want(t, 0, `"metricType":"cpu"`, "")
	vitals(t, "watch", "nothing", "--server", srv.URL).want(t, 69, "", "is not known")
}

func TestHelpHasExamples(t *testing.T) {
	commands := []string{"", "serve", "get", "watch", "health"}
	for _, command := range commands {
		args := strings.Fields(command + " --help")
		got := vitals(t, args...)
		if got.code != 0 || !strings.Contains(got.stdout, "Examples:\n  vitals "+command) {
			t.Errorf("vitals %s --help has no examples: exit %d\n%s", command, got.code, got.stdout)
		}
	}
	vitals(t, "--help").want(t, 0, "Exit codes:", "")
}

func TestCompletion(t *testing.T) {
	vitals(t, "__complete", "get", "").want(t, 0, "memory\t", "")
	vitals(t, "__complete", "health", "").want(t, 0, "collector", "")
	vitals(t, "__complete", "get", "--protocol", "").want(t, 0, "grpcweb", "")
	vitals(t, "__complete", "watch", "-o", "").want(t, 0, "json", "")
	for _, shell := range []string{"zsh", "fish", "powershell"} {
		vitals(t, "completion", shell).want(t, 0, "vitals", "")
	}
	script := vitals(t, "completion", "bash")
	script.want(t, 0, "__start_vitals", "")
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal("bash is missing: apt-get install bash")
	}
	// What a person's Tab key does, without bash-completion installed.
	file := filepath.Join(t.TempDir(), "completion.bash")
	if err := os.WriteFile(file, []byte(script.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", `
		source "$1"
		COMP_WORDS=(vitals health co) COMP_CWORD=2 COMP_LINE="vitals health co" COMP_POINT=16
		_get_comp_words_by_ref() { cur=co prev=health words=("${COMP_WORDS[@]}") cword=2; }
		_init_completion() { _get_comp_words_by_ref; }
		__ltrim_colon_completions() { :; }
		compopt() { :; }
		__start_vitals && printf '%s\n' "${COMPREPLY[@]}"`, "bash", file)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "collector" {
		t.Errorf("Tab after 'vitals health co' gives %q, %v", out, err)
	}
}
