import { existsSync } from "node:fs";
import { join } from "node:path";
import express, { Router } from "express";

/** The built client; every address that names no file of it is a page of the client's own router. */
export function createPages(folder: string): Router {
  const router = Router();
  const index = join(folder, "index.html");
  router.use(
    express.static(folder, {
      index: false,
      setHeaders(response, path) {
        // Built files carry their content's hash in the name.
        if (path.startsWith(join(folder, "assets")))
          response.set("cache-control", "public, max-age=31536000, immutable");
      },
    }),
  );
  router.get("/{*splat}", (request, response, next) => {
    const isPage =
      request.accepts(["html", "json"]) === "html" &&
      !/^\/(assets|api|v1|v1alpha1|socket\.io)(\/|$)/.test(request.path);
    if (!isPage || !existsSync(index)) {
      next();
      return;
    }
    response.set("cache-control", "no-cache").sendFile(index);
  });
  return router;
}
