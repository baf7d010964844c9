/**
 * Which addresses are out in the public internet: where a webhook may go. What is private, of this machine or its network,
 * reserved, or a way of writing another address in this one, is not.
 */

// IANA's registries of special-purpose addresses, and multicast.
const NOT_PUBLIC_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
];
// Within 2000::/3, the only space that is given out: protocols and Teredo, documentation, 6to4, documentation again.
const NOT_PUBLIC_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
const GLOBAL_V6 = "2000::/3";

/** Whether an IP address, as a resolver writes it, is public. What is no address is not. */
export function isPublicAddress(address: string): boolean {
  const v4 = readV4(address);
  if (v4 !== undefined) return !NOT_PUBLIC_V4.some((range) => isWithin(v4, range, readV4, 32));
  const v6 = readV6(address);
  if (v6 === undefined || !isWithin(v6, GLOBAL_V6, readV6, 128)) return false;
  return !NOT_PUBLIC_V6.some((range) => isWithin(v6, range, readV6, 128));
}

function isWithin(
  address: bigint,
  range: string,
  read: (text: string) => bigint | undefined,
  bits: number,
): boolean {
  const [start = "", length] = range.split("/");
  const rest = BigInt(bits - Number(length));
  return address >> rest === (read(start) ?? 0n) >> rest;
}

function readV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.reduce((number, part) => number * 256n + BigInt(part), 0n);
}

/** The forms with an IPv4 address inside lie outside of 2000::/3 or are refused there, so they need no reading. */
function readV6(text: string): bigint | undefined {
  const halves = text.toLowerCase().split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return groups.reduce((number, group) => number * 65_536n + BigInt(`0x${group}`), 0n);
}
