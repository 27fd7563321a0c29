// The modules of every signed-in page.
import "./time.js";
import "./live.js";
import "./menus.js";
import "./dialogs.js";
import "./toasts.js";
import "./select.js";
import "./keys.js";
import "./copy.js";
import "./fetched.js";
