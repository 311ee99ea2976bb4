// A file of its own, and by its own path, so that the build can leave it out of
// the first load: from the package's index it would come with all the rest.
export { createGrpcWebTransport } from "../../node_modules/@connectrpc/connect-web/dist/esm/grpc-web-transport.js";
