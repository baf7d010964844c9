/** Signing in, by e-mail and password. */
import { supabase } from "./backend.ts";
import { during, field, h } from "./dom.ts";

export function showSignIn(app: HTMLElement): void {
  const email = h("input", { type: "email", name: "email", autocomplete: "username", required: true });
  const password = h("input", {
    type: "password",
    name: "password",
    autocomplete: "current-password",
    required: true,
  });
  const refusal = h("div", { class: "refusal" });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const submit = (event: Event) => {
    event.preventDefault();
    during(button, async () => {
      refusal.replaceChildren();
      // When it succeeds, supabase-js says so to main.ts, which shows the next page.
      const { error } = await supabase.auth.signInWithPassword({
        email: email.value,
        password: password.value,
      });
      if (!error) return;
      refusal.replaceChildren(h("p", { class: "problem", role: "alert" }, sentence(error.status)));
      password.focus();
      password.select();
    });
  };
  app.replaceChildren(
    h(
      "main",
      { id: "main", class: "sign-in", tabindex: "-1" },
      h("img", { src: "/icon.svg", alt: "", width: 56, height: 56 }),
      h("h1", {}, "Holdfast"),
      h("p", { class: "lead" }, "Your clinic's week, held for you while you decide."),
      h(
        "form",
        { submit },
        field("E-mail", email),
        field("Password", password),
        refusal,
        h("div", { class: "actions" }, button),
      ),
    ),
  );
  document.title = "Sign in · Holdfast";
  email.focus();
}

function sentence(status: number | undefined): string {
  if (status === 400) return "E-mail and password do not match. Try again.";
  if (status === 429) return "Too many attempts. Wait a moment, then try again.";
  return "The clinic cannot be reached. Check your connection, then try again.";
}
