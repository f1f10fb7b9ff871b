/*
 * http_multipart: a form of a request, which may hold a file (see http.h, http_form).
 */
#include "http_internal.h"

bool http_is_multipart(const struct http_request *rq)
{
    return rq->route->body == HTTP_BODY_LARGE_FORM &&
           negotiate_media_type(http_header(rq, "Content-Type"), "multipart/form-data");
}

enum input_reason http_form(const struct http_request *rq, struct input *in)
{
    char boundary[NEGOTIATE_BOUNDARY_MAX + 1];

    if (!http_is_multipart(rq))
        return input_parse_form(in, rq->body.data, rq->body.len);
    in->count = 0;
    if (!negotiate_boundary(http_header(rq, "Content-Type"), boundary))
        return INPUT_MALFORMED;
    return input_parse_multipart(in, boundary, rq->body.data, rq->body.len);
}
