/** The layers of docs/design.md: who may import whom. Run by `npm run check`. */

const ours = "^(engine|datasets|reward|trainer|server|client)/";

/** Files under `folder` may import their own folder, packages and what `allowed` matches; nothing else of ours. */
const layer = (folder, allowed) => ({
  name: `${folder}-imports`,
  severity: "error",
  comment: `${folder}/ may import of ours: ${allowed.join(", ") || "nothing"}`,
  from: { path: `^${folder}/` },
  to: { path: `${ours}|^(test|bench|scripts)/`, pathNot: [`^${folder}/`, "^test/fixtures/", ...allowed] },
});

/** A package that one folder alone may import, so that replacing it touches one place. */
const onlyIn = (name, place) => ({
  name: `${name}-in-one-place`,
  severity: "error",
  comment: `only ${place} may import ${name}`,
  from: { pathNot: [place, "^(test|bench)/"] },
  to: { path: `^node_modules/${name}/` },
});

module.exports = {
  forbidden: [
    layer("engine", []),
    layer("datasets", []),
    layer("reward", ["^engine/", "^datasets/"]),
    layer("trainer", ["^engine/", "^reward/", "^datasets/"]),
    layer("server", ["^engine/", "^reward/", "^trainer/contract\\.ts$"]),
    layer("client", ["^server/protocol/"]),
    {
      name: "protocol-imports-nothing",
      severity: "error",
      comment: "the pages bundle server/protocol: it holds types and plain constants, and needs no other file",
      from: { path: "^server/protocol/", pathNot: "\\.test\\.ts$" },
      to: { pathNot: "^server/protocol/" },
    },
    onlyIn("onnxruntime-node", "^engine/runtime/"),
    onlyIn("@huggingface/hub", "^server/models/hub\\.ts$"),
    {
      name: "no-cycles",
      severity: "error",
      comment: "two files that need each other are one file, or hide a third",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolvable",
      severity: "error",
      from: { pathNot: "\\.d\\.ts$" },
      to: { couldNotResolve: true },
    },
    {
      name: "declared-packages",
      severity: "error",
      comment: "every imported package is named in package.json",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "product-without-development-packages",
      severity: "error",
      comment: "what is installed for development only cannot be imported by what is shipped",
      from: { path: ours, pathNot: ["\\.test\\.tsx?$", "/conformance\\.ts$", "^client/"] },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "type-only"] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      extensions: [".ts", ".tsx", ".mjs", ".js", ".json"],
      conditionNames: ["import", "node", "default"],
    },
  },
};
