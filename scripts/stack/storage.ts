// The bytes of uploaded documents, in a folder: the inner server has the Storage API but ships no adapter for files. And
// the two places where its Storage API and supabase-js do not understand each other.

import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { App } from "@supabase/lite";

type StorageAdapter = NonNullable<App["_storageAdapter"]>;
type ObjectMetadata = Awaited<ReturnType<StorageAdapter["headObject"]>>;
type UploadBody = Parameters<StorageAdapter["uploadObject"]>[3];

interface Sidecar {
  mimetype: string;
  cacheControl: string;
}

/** A StorageAdapter over a folder: `<folder>/<bucket>/<key>/.object`, its content type in `.meta` beside it. */
export function filesystemStorage(folder: string): StorageAdapter {
  // A key is a folder of its own, so that `a` and `a/b` can both be objects, as in a bucket.
  const placeOf = (bucket: string, key: string): string => {
    const root = resolve(folder);
    const place = resolve(root, bucket, key);
    if (!place.startsWith(root + sep)) throw new Error("the object's key points outside the storage folder");
    return place;
  };
  const fileOf = (bucket: string, key: string): string => join(placeOf(bucket, key), ".object");

  const headObject: StorageAdapter["headObject"] = async (bucket, key) => {
    const file = fileOf(bucket, key);
    const [{ mtime }, bytes, sidecar] = await Promise.all([
      stat(file),
      readFile(file),
      readFile(join(placeOf(bucket, key), ".meta"), "utf8"),
    ]);
    return describe(bytes, mtime, JSON.parse(sidecar));
  };

  return {
    driver: folder,
    headObject,
    getObject: async (bucket, key) => {
      const metadata = await headObject(bucket, key, undefined);
      return { metadata, httpStatusCode: 200, body: await readFile(fileOf(bucket, key)) };
    },
    uploadObject: async (bucket, key, _version, body, contentType, cacheControl) => {
      const place = placeOf(bucket, key);
      const bytes = await readAll(body);
      const sidecar: Sidecar = { mimetype: contentType, cacheControl };
      await mkdir(place, { recursive: true, mode: 0o700 });
      await writeFile(join(place, ".new"), bytes);
      await writeFile(join(place, ".meta"), JSON.stringify(sidecar));
      await rename(join(place, ".new"), join(place, ".object"));
      return describe(bytes, new Date(), sidecar);
    },
    deleteObject: async (bucket, key) => {
      const place = placeOf(bucket, key);
      await Promise.all([".object", ".meta"].map((name) => rm(join(place, name), { force: true })));
    },
    deleteObjects: async (bucket, keys) => {
      for (const key of keys) {
        const place = placeOf(bucket, key);
        await Promise.all([".object", ".meta"].map((name) => rm(join(place, name), { force: true })));
      }
    },
    copyObject: async (bucket, key, _version, toBucket, toKey) => {
      const [from, to] = [placeOf(bucket, key), placeOf(toBucket, toKey)];
      await mkdir(to, { recursive: true, mode: 0o700 });
      await Promise.all([".object", ".meta"].map((name) => copyFile(join(from, name), join(to, name))));
      const { eTag, lastModified } = await headObject(toBucket, toKey, undefined);
      return { eTag, httpStatusCode: 200, ...(lastModified ? { lastModified } : {}) };
    },
    privateAssetUrl: async (bucket, key) => pathToFileURL(fileOf(bucket, key)).href,
  };
}

function describe(bytes: Uint8Array, lastModified: Date, sidecar: Sidecar): ObjectMetadata {
  return {
    ...sidecar,
    contentLength: bytes.byteLength,
    size: bytes.byteLength,
    lastModified,
    eTag: `"${createHash("md5").update(bytes).digest("hex")}"`,
    httpStatusCode: 200,
  };
}

async function readAll(body: UploadBody): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * An upload as the inner server reads it: the bytes as the body, the rest in headers. supabase-js sends a form whose file
 * part has an empty name; the inner server looks for a part named `file` and answers 400.
 */
export async function unwrapUpload(request: Request): Promise<Request> {
  if (!request.headers.get("content-type")?.startsWith("multipart/form-data")) return request;
  const form = await request.formData();
  const file = [...form.values()].find((part): part is File => typeof part !== "string");
  if (!file)
    return new Request(request.url, { method: request.method, headers: request.headers, body: null });
  const bytes = new Uint8Array(await file.arrayBuffer());
  const headers = new Headers(request.headers);
  headers.set("content-type", file.type || "application/octet-stream");
  headers.set("content-length", String(bytes.byteLength));
  const cacheControl = form.get("cacheControl");
  if (typeof cacheControl === "string") headers.set("cache-control", `max-age=${cacheControl}`);
  return new Request(request.url, { method: request.method, headers, body: bytes });
}

interface Signed {
  signedUrl?: string;
}

/** The inner server's answer about signed URLs in the words of hosted Storage, which supabase-js reads. */
export async function spellSignedUrls(request: Request, answered: Response): Promise<Response> {
  const path = new URL(request.url).pathname.replace(/^\/storage\/v1/, "");
  if (!/^\/object\/(upload\/)?sign\//.test(path)) return answered;
  if (request.method !== "POST") {
    // Redeeming an expired or forged URL is the caller's fault; the inner server calls it its own.
    if (answered.status !== 500) return answered;
    return Response.json(
      { statusCode: "400", error: "InvalidJWT", message: "Invalid signature" },
      { status: 400 },
    );
  }
  if (!answered.ok) return answered;
  const field = path.startsWith("/object/upload/") ? "url" : "signedURL";
  const spell = (signed: Signed): object => {
    const url = signed.signedUrl ? signed.signedUrl.replace(/^\/storage\/v1/, "") : null;
    return { ...signed, [field]: url };
  };
  const signed: unknown = await answered.json();
  return Response.json(Array.isArray(signed) ? signed.map(spell) : spell(signed as Signed));
}
