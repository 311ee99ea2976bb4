package rpc

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vitals-rpc/vitals/server/account"
	"github.com/vitals-rpc/vitals/server/health"
)

// GRPCHealthName is the full name of the standard health service.
const GRPCHealthName = "grpc.health.v1.Health"

// healthWatchInterval is how often Watch looks whether the state has changed.
const healthWatchInterval = time.Second

// GRPCHealth implements grpc.health.v1, the health service that gRPC's load
// balancers, Kubernetes and grpcurl know
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). A service
// is a component of the server, a full RPC service name, or empty for the whole.
type GRPCHealth struct {
	Registry interface {
		Health
		Names() []string
	}
	// Services are the RPC services; each is as healthy as the component "api".
	Services []string
}

// Register adds the service to the server. The messages come with grpc-go, so
// that the descriptor is in the process once, and the handlers are therefore
// bound by hand.
func (h *GRPCHealth) Register(server *connect.Server) {
	methods := grpc_health_v1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods()
	bind := func(name protoreflect.Name, streamType connect.StreamType, idempotency connect.IdempotencyLevel, handler connect.ServerFunc) {
		server.Register(connect.Method{
			Spec: connect.Spec{
				StreamType:       streamType,
				IdempotencyLevel: idempotency,
				Schema:           methods.ByName(name),
				Procedure:        "/" + GRPCHealthName + "/" + string(name),
			},
			Handler: handler,
		})
	}
	bind("Check", connect.StreamTypeUnary, connect.IdempotencyNoSideEffects, h.check)
	bind("List", connect.StreamTypeUnary, connect.IdempotencyNoSideEffects, h.list)
	bind("Watch", connect.StreamTypeServer, connect.IdempotencyUnknown, h.watch)
}

func (h *GRPCHealth) check(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var req grpc_health_v1.HealthCheckRequest
	if err := stream.Receive(&req); err != nil {
		return err
	}
	if req.GetService() != "" && !account.CallerFrom(ctx).May(account.Viewer) {
		return connect.NewError(connect.CodeUnauthenticated, "without a token of a viewer, ask for the whole server: leave the service empty")
	}
	status, err := h.status(req.GetService())
	if err != nil {
		return err
	}
	return stream.Send(&grpc_health_v1.HealthCheckResponse{Status: status})
}

func (h *GRPCHealth) list(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var req grpc_health_v1.HealthListRequest
	if err := stream.Receive(&req); err != nil {
		return err
	}
	res := &grpc_health_v1.HealthListResponse{Statuses: map[string]*grpc_health_v1.HealthCheckResponse{}}
	for _, name := range slices.Concat([]string{""}, h.Registry.Names(), h.Services) {
		status, err := h.status(name)
		if err != nil {
			return err
		}
		res.Statuses[name] = &grpc_health_v1.HealthCheckResponse{Status: status}
	}
	return stream.Send(res)
}

// watch sends the state at once and then whenever it changes. An unknown service
// is a state too, as the protocol has it, for it may come.
func (h *GRPCHealth) watch(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
	var req grpc_health_v1.HealthCheckRequest
	if err := stream.Receive(&req); err != nil {
		return err
	}
	ticker := time.NewTicker(healthWatchInterval)
	defer ticker.Stop()
	sent := grpc_health_v1.HealthCheckResponse_ServingStatus(-1)
	for {
		status, err := h.status(req.GetService())
		if err != nil {
			status = grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN
		}
		if status != sent {
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			sent = status
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (h *GRPCHealth) status(service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
	if slices.Contains(h.Services, service) {
		service = health.API
	}
	status, err := h.Registry.Status(service)
	switch {
	case err != nil:
		return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN, err
	case !status.Healthy():
		return grpc_health_v1.HealthCheckResponse_NOT_SERVING, nil
	default:
		return grpc_health_v1.HealthCheckResponse_SERVING, nil
	}
}
