/** Which backend the page talks to: a module that is written where the page is served, so that its files need no changes. */
declare module "holdfast-config" {
  /** The API's origin. */
  export const url: string;
  /** For apps; what it opens, row-level security decides. */
  export const publishableKey: string;
}
