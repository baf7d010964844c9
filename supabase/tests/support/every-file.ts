// Runs with every test file. Workers keep what files load, so that what is to end with a file stands here.

import fc from "fast-check";
import { afterAll, expect } from "vitest";
import { undocumented } from "./undocumented.ts";

/** What property tests draw from: the same each time, so that a run says what the last one said. */
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 20261123) });

afterAll(() => expect(undocumented.splice(0), "answers other than in docs/openapi.json").toEqual([]));
