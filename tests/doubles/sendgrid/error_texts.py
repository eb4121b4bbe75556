"""SendGrid's own words, where they are known [documented in its list of errors, or observed in public issues].

Only `field` is for machines; the words are here so that a person who reads a test's output recognises them.
"""

NO_PERSONALIZATION = "The personalizations field is required and must have at least one personalization."
TOO_MANY_PERSONALIZATIONS = (
    "The personalization block is limited to 1000 personalizations per API request. You have provided {} "
    "personalizations. Please consider splitting this into multiple requests and resending your request."
)
TOO_MANY_RECIPIENTS = "There is a limit of 1000 total recipients (to + cc + bcc) per request."
TWICE = (
    "Each unique email address in the personalizations array should only be included once. "
    "You have included [{}] more than once."
)
NO_TO = (
    "The to array is required for all personalization objects, and must have at least one email object "
    "with a valid email address."
)
NOT_AN_ADDRESS = "Does not contain a valid address."
NAME_WITH_COMMA = "The name parameter may not include semicolons or commas."
ODD_EMAIL_OBJECT = "Additional properties are not allowed in an email object."
NO_FROM = (
    "The from object must be provided for every email send. It is an object that requires the email parameter, "
    'but may also contain a name parameter. e.g. {"email" : "example@example.com"}'
)
OTHER_DOMAIN = "The from domain must match the domain of the from email address specified at the message level."
TWO_REPLY_TOS = "You can use either reply_to or reply_to_list but not both."
NO_SUBJECT = (
    "The subject is required. You can get around this requirement if you use a template with a subject defined "
    "or if every personalization has a subject defined."
)
EMPTY_SUBJECT = "The subject of your email must be a string at least one character in length."
NO_CONTENT = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined "
    "content block. We typically suggest both text/plain and text/html blocks are included, but only one block is "
    "required."
)
EMPTY_CONTENT = "The content value must be a string at least one character in length."
ODD_CONTENT_TYPE = "The content type must be a valid MIME type, without parameters or line breaks."
CONTENT_ORDER = "text/plain and text/html may only be provided once, and must come first, text/plain before text/html."
EMPTY_ATTACHMENT = "The attachment {} must be a string at least one character in length."
TOO_MANY_CATEGORIES = "There is a limit of 10 categories per request."
CATEGORY_TWICE = "Categories must be unique."
ODD_CATEGORY = "A category must be ASCII and between 1 and 255 characters long."
RESERVED_HEADER = "The header [{}] is reserved and may not be set."
ODD_HEADER = "Header names are printable ASCII without colon or space; values have no line breaks."
TOO_BIG = "This field may not exceed {} bytes. You have provided {} bytes."
TOO_FAR = "The send_at parameter may not be more than 72 hours in the future."
UNKNOWN_BATCH = "invalid batch id"
NO_GROUP = "The asm group_id is required and must be an integer."
UNKNOWN_PROPERTY = "Additional property {} is not allowed"
WRONG_TYPE = "Invalid type. Expected: {}, given: {}."
DYNAMIC_SUBSTITUTIONS = "Substitutions may not be used with dynamic templating"

STATUS = {  # what goes with a status, where no field is to blame
    400: "Bad Request",
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "The from address does not match a verified Sender Identity. Mail cannot be sent.",
    404: "not found",
    405: "method not allowed",
    413: "content too large",
    415: "Content-Type should be application/json.",
    429: "too many requests",
    500: "internal server error",
    502: "bad gateway",
    503: "service unavailable",
    504: "gateway timeout",
}
