{{ config(unique_key='h_shop_user_session_hk') }}

{{ history(
    satellite=ref('s_shop_user_sessions'),
    changes=source('silver', 'shop_user_sessions_changes'),
    hash_key='h_shop_user_session_hk'
) }}
