// The browsable REST page. Requests that are tried out go with the browser's session, so they need its CSRF token.
const page = document.getElementById("api-docs");

SwaggerUIBundle({
  domNode: page,
  url: page.dataset.schema,
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  validatorUrl: null, // else it would ask a server elsewhere
  persistAuthorization: false,
  requestInterceptor(request) {
    if (new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = page.dataset.csrfToken;
    }
    return request;
  },
});
