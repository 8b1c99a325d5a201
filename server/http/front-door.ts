/**
 * The Express app that listens before anything is loaded: it lives at once, and everything but `/healthz` answers 503
 * until `open` hands it the routes.
 */
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from "express";
import helmet from "helmet";
import type { Logger } from "pino";
import { describeError } from "../error-description.ts";
import type { Metrics } from "../metrics.ts";
import { RequestError } from "../request-error.ts";
import { toOpenAiError } from "./openai/errors.ts";
import { toPerspectiveError } from "./perspective.ts";

export interface FrontDoor {
  app: Express;
  /** From now on replies can be generated; `routes` answers. */
  open(routes: RequestHandler): void;
  /** `/readyz` says 503 again, so that nobody sends new work here. */
  shut(): void;
}

/** The largest conversation that fits any context is far smaller. */
const bodyLimit = "2mb";

function isOpenAi(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

/** The one place where an error becomes an HTTP answer, in the words of the API that was called. */
function renderError(log: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const { status, error: told } = describeError(error);
    if (status >= 500 && told.code === "internal") log.error({ err: error, path: request.path }, "a request failed");
    if (status === 503) response.set("retry-after", "1");
    if (isOpenAi(request.path)) response.status(status).json(toOpenAiError(error).body);
    else if (request.path.startsWith("/v1alpha1/")) response.status(status).json(toPerspectiveError(error).body);
    else response.status(status).json({ error: told });
  };
}

/** The route's pattern, so that ids do not make a time series each. */
function routeOf(request: Request): string {
  const route: unknown = request.route?.path;
  return typeof route === "string" ? route : "other";
}

export function createFrontDoor(log: Logger, metrics: Metrics): FrontDoor {
  const app = express();
  let state: "starting" | "open" | "shut" = "starting";
  let routes: RequestHandler = (_request, _response, next) => next();

  app.disable("x-powered-by");
  app.use(
    helmet({
      // The server itself speaks plain HTTP, on whatever name it is reached by.
      strictTransportSecurity: false,
      contentSecurityPolicy: { directives: { "upgrade-insecure-requests": null } },
    }),
  );
  app.use((request, response, next) => {
    const startedAt = performance.now();
    response.on("finish", () => {
      const seconds = (performance.now() - startedAt) / 1000;
      metrics.requestEnded(request.method, routeOf(request), response.statusCode, seconds);
      log.debug({ method: request.method, path: request.path, status: response.statusCode, seconds }, "request");
    });
    next();
  });

  app.get("/healthz", (_request, response) => {
    response.json({ status: "alive" });
  });
  app.get("/readyz", (_request, response) => {
    response.status(state === "open" ? 200 : 503).json({ status: state === "open" ? "ready" : state });
  });
  app.use((_request, _response, next) => {
    if (state === "open") next();
    else if (state === "shut") next(new RequestError(503, "shutting_down", "The server is shutting down."));
    else next(new RequestError(503, "starting", "The model is still being loaded; try again in a moment."));
  });
  app.use(express.json({ limit: bodyLimit }));
  app.use((request, response, next) => routes(request, response, next));
  app.use((request, _response, next) => {
    next(new RequestError(404, "not_found", `There is nothing at ${request.method} ${request.path.slice(0, 200)}`));
  });
  app.use(renderError(log));

  return {
    app,
    open(ready) {
      routes = ready;
      state = "open";
    },
    shut() {
      state = "shut";
    },
  };
}
