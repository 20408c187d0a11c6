{# Sessions that have not ended have no segments yet. Beside the view comes the same for whoever asks (price_at,
   prices_between). #}
{{ config(post_hook='{{ create_price_macros() }}') }}

{%- set spans -%}
select session_id as span_id, charging_location_id, started_at, ended_at
from {{ ref('fct_sessions') }}
where ended_at is not null and charging_location_id is not null
{%- endset %}

select
    span_id as session_id,
    started_at,
    ended_at,
    tariff_type,
    price_per_kwh,
    currency
from ({{ price_segments(spans) }}) as segments
