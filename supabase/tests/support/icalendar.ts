// Calendars as ical.js reads them, the library of Thunderbird: it shares nothing with what writes them.

import ICAL from "ical.js";

type Values = Record<string, string>;

/** The properties of a calendar and of its events, values as ical.js spells them; an error where it is not iCalendar. */
export function readCalendar(source: string): { properties: Values; events: Values[] } {
  const calendar = new ICAL.Component(ICAL.parse(source));
  if (calendar.name !== "vcalendar") throw new Error(`a ${calendar.name}`);
  const parts = calendar.getAllSubcomponents();
  if (parts.some(({ name }) => name !== "vevent")) throw new Error("something else than events");
  return { properties: valuesOf(calendar), events: parts.map(valuesOf) };
}

function valuesOf(component: InstanceType<typeof ICAL.Component>): Values {
  const values: Values = {};
  for (const property of component.getAllProperties()) {
    if (property.name in values) throw new Error(`${property.name} twice`);
    values[property.name] = String(property.getFirstValue());
  }
  return values;
}
