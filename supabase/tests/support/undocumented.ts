/** What answers of RPCs had that docs/openapi.json does not say; every test file ends by looking that there is none. */
export const undocumented: string[] = [];
