// Runs with every test file. Workers keep what files load, so that what is to end with a file stands here.

import { afterAll, expect } from "vitest";
import { undocumented } from "./undocumented.ts";

afterAll(() => expect(undocumented.splice(0), "answers other than in docs/openapi.json").toEqual([]));
