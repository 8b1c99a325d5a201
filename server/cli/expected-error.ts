import { CheckpointError } from "../../engine/types.ts";
import { DeploymentRefusedError } from "../adapters/errors.ts";
import { SettingError } from "../config.ts";
import { HubError } from "../models/hub-error.ts";
import { UnknownAdapterError } from "../ports.ts";
import { RequestError } from "../request-error.ts";
import { CliError } from "./output.ts";

const expected = [
  CliError,
  CheckpointError,
  DeploymentRefusedError,
  HubError,
  RequestError,
  SettingError,
  UnknownAdapterError,
];

/** Failures whose message says all a person needs; others show where they come from. */
export function isExpected(error: Error): boolean {
  return expected.some((kind) => error instanceof kind);
}
