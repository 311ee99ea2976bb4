// Command server answers the conformance suite's service with the whole of
// Vitals' server around it: its interceptors, limits and transports. The suite's
// runner starts it, tells it on standard input what to serve, and is told the
// address on standard output.
package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	conformancev1 "github.com/vitals-rpc/vitals/interop/conformance/gen"
	"github.com/vitals-rpc/vitals/interop/conformance/gen/conformancev1connect"
	"github.com/vitals-rpc/vitals/server"
	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/certificate"
	"github.com/vitals-rpc/vitals/server/listen"
	"github.com/vitals-rpc/vitals/server/store"
)

// maxStreamAge is the server's own bound, which no test comes near.
const maxStreamAge = 24 * time.Hour

func main() {
	over := server.OwnHTTP2
	flag.Var(&over, "http2", "`who` serves HTTP/2: own or std")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, over, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, over server.HTTP2, in io.Reader, out io.Writer) (err error) {
	var req conformancev1.ServerCompatRequest
	if err := receive(in, &req); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "vitals-conformance-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	srv, err := server.New(ctx, server.Options{
		Hostname:        "conformance",
		History:         store.Options{Dir: dir},
		Logger:          slog.New(slog.DiscardHandler),
		MaxMessageBytes: int(req.GetMessageReceiveLimit()),
		MaxStreamAge:    maxStreamAge,
		HTTP2:           over,
		Roles:           roles(),
		Services: func(calls *connect.Server) {
			conformancev1connect.RegisterConformanceServiceHandler(calls, service{})
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	secure, err := certificates(dir, &req)
	if err != nil {
		return err
	}
	listeners, err := listen.Open(ctx, listen.Options{
		Addresses: []string{"127.0.0.1:0"}, TLS: secure,
		HTTP3: req.GetHttpVersion() == conformancev1.HTTPVersion_HTTP_VERSION_3,
	})
	if err != nil {
		return err
	}
	address, ok := listeners[0].Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("%v is not a TCP address", listeners[0].Addr())
	}
	answer := &conformancev1.ServerCompatResponse{
		Host: address.IP.String(), Port: uint32(address.Port), //nolint:gosec // a port
		PemCert: req.GetServerCreds().GetCert(),
	}
	if err := send(out, answer); err != nil {
		return err
	}
	return srv.Run(ctx, listeners...)
}

// certificates are those that the runner has sent, or nil where it wants no TLS.
func certificates(dir string, req *conformancev1.ServerCompatRequest) (*tls.Config, error) {
	if !req.GetUseTls() {
		return nil, nil
	}
	opts := certificate.Options{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
		Logger: slog.New(slog.DiscardHandler),
	}
	files := map[string][]byte{opts.CertFile: req.GetServerCreds().GetCert(), opts.KeyFile: req.GetServerCreds().GetKey()}
	if ca := req.GetClientTlsCert(); len(ca) > 0 {
		opts.ClientCAFile = filepath.Join(dir, "clients.pem")
		files[opts.ClientCAFile] = ca
	}
	for file, text := range files {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return nil, err
		}
	}
	keeper, err := certificate.Open(opts)
	if err != nil {
		return nil, err
	}
	return keeper.Config(), nil
}

// roles lets anyone call the suite's service, whose schema knows no roles.
func roles() map[string]account.Role {
	calls, all := connect.NewServer(), map[string]account.Role{}
	conformancev1connect.RegisterConformanceServiceHandler(calls, service{})
	for spec := range calls.Specs() {
		all[spec.Procedure] = account.Anyone
	}
	return all
}

// receive reads a message with its length before it, in four bytes, as the
// runner writes it.
func receive(in io.Reader, message proto.Message) error {
	var length uint32
	if err := binary.Read(in, binary.BigEndian, &length); err != nil {
		return fmt.Errorf("start this by the runner of the conformance suite: %w", err)
	}
	encoded := make([]byte, length)
	if _, err := io.ReadFull(in, encoded); err != nil {
		return err
	}
	return proto.Unmarshal(encoded, message)
}

func send(out io.Writer, message proto.Message) error {
	encoded, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded...)) //nolint:gosec // a few hundred bytes
	return err
}
