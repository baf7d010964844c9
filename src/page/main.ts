/** The page: who is not signed in signs in, who is sees the pages of their role. */
import { showAppointments } from "./appointments.ts";
import { showAudit } from "./audit.ts";
import { supabase } from "./backend.ts";
import { h } from "./dom.ts";
import { unreadView } from "./problem.ts";
import { forgetNames } from "./schedule.ts";
import { showSignIn } from "./sign-in.ts";
import { type Barred, pagesOf, readVisitor, type Visitor } from "./visitor.ts";
import { showWeek } from "./week.ts";

const VIEWS = { "#week": showWeek, "#appointments": showAppointments, "#audit": showAudit };
const BARRED: Record<Barred, string> = {
  second_factor:
    "Your clinic or your role asks for a second factor, and this page cannot ask you for it. Sign in with an app that can.",
  no_role: "You have no role in a clinic. Ask an administrator of your clinic for one.",
};

const app = document.getElementById("app") as HTMLElement;
let userId: string | undefined;
// Counts who comes and goes: what is read for who has gone is drawn for nobody.
let visits = 0;
let leave = () => {};

supabase.auth.onAuthStateChange((_event, session) => {
  if (session && session.user.id === userId) return;
  userId = session?.user.id;
  const visit = ++visits;
  leave();
  leave = () => {};
  window.onhashchange = null;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  // Not within the callback: supabase-js holds a lock while it runs, and every query waits for that.
  if (userId) setTimeout(() => enter(visit));
  else {
    forgetNames();
    showSignIn(app);
  }
});

async function enter(visit: number): Promise<void> {
  try {
    const visitor = await readVisitor();
    if (visit !== visits) return;
    if (typeof visitor === "string") return showBarred(visitor);
    showFrame(visitor);
  } catch (error) {
    if (visit !== visits) return;
    app.replaceChildren(
      h(
        "main",
        { id: "main", class: "sign-in", tabindex: "-1" },
        h("h1", {}, "Holdfast"),
        unreadView(error, () => enter(visit)),
        signOutButton(),
      ),
    );
  }
}

function showFrame(visitor: Visitor): void {
  const pages = pagesOf(visitor);
  const links = pages.map(({ hash, name }) => h("a", { href: hash }, name));
  const main = h("main", { id: "main", tabindex: "-1" });
  app.replaceChildren(
    h(
      "header",
      { class: "top" },
      h(
        "a",
        { class: "brand", href: pages[0]?.hash ?? "#" },
        h("img", { src: "/icon.svg", alt: "", width: 28, height: 28 }),
        "Holdfast",
      ),
      h("span", { class: "clinic" }, visitor.clinic.name),
      links.length > 1 && h("nav", { "aria-label": "Pages" }, ...links),
      h("div", { class: "me" }, h("span", {}, visitor.email), signOutButton()),
    ),
    main,
  );
  const turn = async (): Promise<void> => {
    const page = pages.find(({ hash }) => hash === location.hash) ?? pages[0];
    leave();
    leave = () => {};
    // An element of its own: a page that is still being read when another is chosen draws where nobody looks.
    const view = h("div", { class: "view" });
    main.replaceChildren(view);
    if (!page) {
      view.append(h("h1", {}, "Holdfast"), h("p", {}, "There is no page for your role here."));
      return;
    }
    for (const link of links) link.ariaCurrent = link.hash === page.hash ? "page" : null;
    document.title = `${page.name} · Holdfast`;
    main.focus();
    try {
      const stop = await VIEWS[page.hash](visitor, view);
      if (view.isConnected) leave = stop;
      else stop();
    } catch (error) {
      view.replaceChildren(h("h1", {}, page.name), unreadView(error, turn));
    }
  };
  window.onhashchange = turn;
  void turn();
}

function showBarred(reason: Barred): void {
  app.replaceChildren(
    h(
      "main",
      { id: "main", class: "sign-in", tabindex: "-1" },
      h("h1", {}, "Nothing to see yet"),
      h("p", { role: "alert" }, BARRED[reason]),
      signOutButton(),
    ),
  );
}

function signOutButton(): HTMLElement {
  return h("button", { type: "button", class: "plain", click: () => supabase.auth.signOut() }, "Sign out");
}
